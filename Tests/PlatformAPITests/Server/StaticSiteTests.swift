import Testing

@testable import PlatformAPI

@Suite struct StaticSiteTests {
    @Test(arguments: [
        "/.env", "/.git/config", "/.profile.d/a.sh", "/blog/.htpasswd", "/%2eenv", "/%2Egit/config", "//.env", "/%ff",
    ])
    func `hides what is no part of the site`(path: String) {
        #expect(StaticSite.hides(path))
    }

    @Test(arguments: ["/", "/index.html", "/blog/a.b.css", "/.well-known/security.txt", "/a%20b.html"])
    func `shows the site`(path: String) {
        #expect(!StaticSite.hides(path))
    }
}
