import PlatformKit
import PlatformKitTesting
import PlatformWire
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct SizeTests {
    @Test func `a size is kept, limits what is started, and replaces what has another`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy("blog", .of("web: run\nworker: work"))
            let resized = try await host.platform.scale(
                "blog", to: ["web": 2], sizes: ["web": "large"], by: Harness.ada, output: SilentOutput())
            #expect(resized.filter(\.isRouted).map(\.size) == ["large", "large"])
            let last = try #require(host.runtime.snapshot.requests.last)
            #expect(last.size == InstanceSize.standard.first { $0.name == "large" })
            // The next release has it, too; the other types have the default.
            try await host.scale(["worker": 1])
            try await host.deploy("blog", .of("web: run\nworker: work"))
            let sizes = try await host.platform.instances(of: "blog").filter { $0.release == 2 }.map(\.size)
            #expect(sizes == ["large", "large", "unlimited"])
        }
    }

    @Test func `a size that there is not is refused, and nothing changes`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            await expect(.invalid, "there is no size gigantic; there are: small") {
                _ = try await host.platform.scale(
                    "blog", to: ["web": 3], sizes: ["web": "gigantic"], by: Harness.ada, output: SilentOutput())
            }
            #expect(try await host.platform.instances(of: "blog").count == 1)
        }
    }

    @Test func `no more one-offs than may run, each for no longer than it may, listed until they end`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            host.runtime.scriptOneOffs { _ in .hangs(printing: []) }
            let detached = OneOffRequest(command: ["sleep", "1000"], detach: true, size: "small")
            for _ in 0..<10 { try await self.run(detached, host) }
            await expect(.limit, "10 one-offs of blog run already") { try await self.run(detached, host) }
            let list = try await host.platform.oneOffs(of: "blog")
            #expect(list.map(\.name) == (1...10).map { "run.\($0)" })
            #expect(list.allSatisfy { $0.size == "small" && !$0.isAttached && $0.command == ["sleep", "1000"] })
            #expect(host.platform.underWay.count == 10)
            try await host.platform.stopInstance("run.3", of: "blog", by: Harness.ada)
            while try await host.platform.oneOffs(of: "blog").count == 10 { await Task.yield() }
            try await self.run(detached, host)
            await expect(.limit, "from 1 to 86400 s") {
                try await self.run(OneOffRequest(command: ["sleep"], timeoutSeconds: 86_401), host)
            }
        }
    }

    private func run(_ request: OneOffRequest, _ host: Harness) async throws {
        _ = try await host.platform.runOneOff(
            request, of: "blog", by: Harness.ada, session: OneOffSession { _ in })
    }
}
