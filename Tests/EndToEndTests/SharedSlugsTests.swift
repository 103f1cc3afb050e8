import AsyncHTTPClient
import Foundation
import SlugStore
import SlugStoreRemotes
import SystemPackage
import TestSupport
import Testing

extension EndToEnd {
    /// Hosts whose slugs are in a bucket.
    @Suite(
        .timeLimit(.minutes(5)),
        .enabled(if: S3Server.isAvailable, "\(S3Server.advice)"))
    struct SharedSlugsTests {
        @Test func `a host that lost its slugs runs what is in the bucket, and a second host sends nothing twice`()
            async throws
        {
            try await withTemporaryDirectory { directory in
                try await S3Server.with { server in
                    let options = directory.appending("options.toml")
                    try """
                    slugs = "\(self.address(server))"
                    slugs-user = "\(server.accessKeyID)"
                    slugs-password = "\(server.secretAccessKey)"
                    """.write(toFile: options.string, atomically: true, encoding: .utf8)
                    let arguments = ["--config", options.string]
                    let first = directory.appending("first")
                    let site = try await WorkTree(at: directory.appending("site"), sample: "static-site")
                    try await withTestHost(data: first, arguments: arguments) { host in
                        try await host.create("site")
                        let push = try await host.push("site", from: site)
                        try #require(push.status == 0, "\(push)")
                    }
                    #expect(try await self.keys("slugs/", server).count == 1)
                    let packs = try await self.keys("packs/", server)
                    #expect(!packs.isEmpty)

                    try FileManager.default.removeItem(atPath: first.appending("slugs").string)
                    try await withTestHost(data: first, arguments: arguments) { host in
                        let answer = try await host.get("site")
                        #expect(answer.text.contains("<h1>A static site</h1>"))
                    }

                    try await withTestHost(data: directory.appending("second"), arguments: arguments) { host in
                        try await host.create("site")
                        let push = try await host.push("site", from: site)
                        try #require(push.status == 0, "\(push)")
                        #expect(try await host.get("site").text.contains("<h1>A static site</h1>"))
                    }
                    // The same tree is the same slug, whoever puts it.
                    #expect(try await self.keys("packs/", server) == packs)
                }
            }
        }

        private func address(_ server: S3Server) -> String {
            "s3://\(server.bucket)/\(server.prefix)platform?region=\(server.region)&endpoint=\(server.endpoint)"
        }

        private func keys(_ prefix: String, _ server: S3Server) async throws -> Set<ObjectKey> {
            let store = try RemoteAddress(self.address(server)).objectStore(
                credentials: .init(user: server.accessKeyID, password: server.secretAccessKey),
                transport: RemoteTransport(client: .shared))
            return Set(try await store.list(prefix: prefix))
        }
    }
}
