import Foundation
import PlatformWire
import SystemPackage
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(15))) struct DjangoTests {
        @Test(
            .enabled(if: PostgreSQL.programs != nil, "PostgreSQL is not installed (apt install postgresql)")
        )
        func `a counter in PostgreSQL survives a restart and a redeploy`() async throws {
            try await withTemporaryDirectory { directory in
                try await PostgreSQL.withDatabase(in: directory) { url in
                    let data = directory.appending("data")
                    try await withTestHost(data: data) { host in
                        try await host.create("counter")
                        let tree = try await WorkTree(at: directory.appending("counter"), sample: "django-counter")
                        let set = try await host.slipway("config", "set", "--app", "counter", "DATABASE_URL=\(url)")
                        try #require(set.status == 0, "\(set)")
                        let push = try await host.push("counter", from: tree)
                        try #require(push.status == 0, "\(push)")
                        #expect(push.error.contains("collectstatic") || push.error.contains("static file"), "\(push)")
                        #expect(push.error.contains("Running the release command"), "\(push)")
                        #expect(push.error.contains("Applying"), "the migrations are shown: \(push)")

                        #expect(try await self.count(host) == 0)
                        try await self.increment(host)
                        try await self.increment(host)
                        #expect(try await self.count(host) == 2)

                        let restart = try await host.slipway("ps", "restart", "--app", "counter")
                        #expect(restart.status == 0, "\(restart)")
                        #expect(try await self.count(host) == 2)

                        try tree.write("README.md", "changed\n")
                        let again = try await host.push("counter", from: tree)
                        #expect(again.status == 0, "\(again)")
                        #expect(try await self.count(host) == 2)
                    }
                    // A stop and a start of the whole host.
                    try await withTestHost(data: data) { host in
                        let count = try await self.count(host)
                        #expect(count == 2)
                    }
                }
            }
        }

        /// The number on the page.
        private func count(_ host: TestHost) async throws -> Int {
            let page = try await host.get("counter")
            try #require(page.status == 200, "\(page)")
            let match = try #require(page.text.firstMatch(of: /id="value"[^>]*>(\d+)</), "\(page)")
            return try #require(Int(match.1))
        }

        private func increment(_ host: TestHost) async throws {
            let answer = try await host.post("counter", "/", form: "")
            #expect((200..<400).contains(answer.status), "\(answer)")
        }
    }
}
