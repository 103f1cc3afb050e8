import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import SystemPackage
import TestSupport
import Testing

extension EndToEnd {
    /// Hosts whose slugs are in a bucket.
    @Suite(
        .timeLimit(.minutes(5)),
        .enabled(if: MotoServer.isInstalled, "moto is not installed (pip install 'moto[server]')"))
    struct SharedSlugsTests {
        @Test func `a host that lost its slugs runs what is in the bucket, and a second host sends nothing twice`()
            async throws
        {
            try await withTemporaryDirectory { directory in
                try await MotoServer.with { port in
                    try await self.makeBucket("slugs", port)
                    let options = directory.appending("options.toml")
                    try """
                    slugs = "s3://slugs/platform?region=us-east-1&endpoint=http://127.0.0.1:\(port)"
                    slugs-user = "somebody"
                    slugs-password = "secret"
                    """.write(toFile: options.string, atomically: true, encoding: .utf8)
                    let arguments = ["--config", options.string]
                    let first = directory.appending("first")
                    let site = try await WorkTree(at: directory.appending("site"), sample: "static-site")
                    try await withTestHost(data: first, arguments: arguments) { host in
                        try await host.create("site")
                        let push = try await host.push("site", from: site)
                        try #require(push.status == 0, "\(push)")
                    }
                    #expect(try await self.keys(port).filter { $0.hasPrefix("platform/slugs/") }.count == 1)
                    let packs = try await self.keys(port).filter { $0.hasPrefix("platform/packs/") }
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
                    #expect(try await self.keys(port).filter { $0.hasPrefix("platform/packs/") } == packs)
                }
            }
        }

        private func makeBucket(_ name: String, _ port: Int) async throws {
            var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/\(name)")
            request.method = .PUT
            let answer = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
            #expect(answer.status == .ok)
            _ = try await answer.body.collect(upTo: 1 << 20)
        }

        private func keys(_ port: Int) async throws -> [String] {
            let request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/slugs?list-type=2")
            let answer = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
            let text = String(buffer: try await answer.body.collect(upTo: 1 << 20))
            return text.components(separatedBy: "<Key>").dropFirst().map { String($0.prefix { $0 != "<" }) }.sorted()
        }
    }
}
