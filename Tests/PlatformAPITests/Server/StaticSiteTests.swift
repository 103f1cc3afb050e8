import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import PlatformAPI

@Suite struct StaticSiteTests {
    @Test(arguments: [
        "/.env", "/.git/config", "/.profile.d/a.sh", "/blog/.htpasswd", "/%2eenv", "/%2Egit/config", "//.env", "/%ff",
        "/a%00b",
    ])
    func `hides what is no part of the site`(path: String) {
        #expect(StaticSite.hides(path))
    }

    @Test(arguments: ["/", "/index.html", "/blog/a.b.css", "/.well-known/security.txt", "/a%20b.html"])
    func `shows the site`(path: String) {
        #expect(!StaticSite.hides(path))
    }

    @Test func `follows links within the application, and no further`() async throws {
        try await withTemporaryDirectory { root in
            let files = FileManager.default
            let site = root.appending("application/public").string
            for name in ["application/public/deep", "application/shared", "secret"] {
                try files.createDirectory(atPath: root.appending(name).string, withIntermediateDirectories: true)
            }
            try files.createSymbolicLink(atPath: site + "/inside", withDestinationPath: "../shared")
            try files.createSymbolicLink(atPath: site + "/outside", withDestinationPath: "../../secret")
            try files.createSymbolicLink(atPath: site + "/deep/index.html", withDestinationPath: "../../../secret")
            func leaves(_ path: String) -> Bool {
                StaticSite.leaves(path, of: site, root: root.appending("application").string)
            }
            for path in ["/", "/inside", "/inside/", "/nothing", "/deep/nothing"] { #expect(!leaves(path)) }
            for path in ["/outside", "/outs%69de", "/deep", "/deep/index.html"] { #expect(leaves(path)) }
            #expect(StaticSite.leaves("/inside", of: site, root: site))
        }
    }
}
