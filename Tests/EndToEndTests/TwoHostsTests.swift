import ArgumentParser
import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import PlatformWire
import SystemPackage
import TestSupport
import Testing
import UnixSignals

@testable import slipway

extension EndToEnd {
    @Suite(.timeLimit(.minutes(10))) struct TwoHostsTests {
        @Test func `two hosts in one process do not notice each other`() async throws {
            try await withTemporaryDirectory { directory in
                try await self.withHost(at: directory.appending("one")) { one in
                    try await self.withHost(at: directory.appending("two")) { two in
                        let tree = try await WorkTree(at: directory.appending("echo"), files: SampleSources.echo)
                        for (host, greeting) in [(one, "one"), (two, "two")] {
                            try await host.create("echo")
                            let set = try await host.slipway("config", "set", "--app", "echo", "GREETING=\(greeting)")
                            try #require(set.status == 0, "\(set)")
                            let push = try await host.push("echo", from: tree)
                            try #require(push.status == 0, "\(push)")
                        }
                        #expect(try await one.get("echo").text == "hello one")
                        #expect(try await two.get("echo").text == "hello two")

                        // What happens to one is nothing to the other.
                        let before = try await two.instances("echo")
                        let destroy = try await one.slipway("apps", "destroy", "echo", "--confirm", "echo")
                        #expect(destroy.status == 0, "\(destroy)")
                        #expect(try await one.get("echo").status == 404)
                        #expect(try await two.get("echo").text == "hello two")
                        #expect(try await two.instances("echo").map(\.pid) == before.map(\.pid))
                        #expect(try await one.metricsText().contains("two") == false)
                    }
                }
            }
        }

        /// A host in this very process.
        private func withHost(at data: FilePath, _ body: @Sendable (TestHost) async throws -> Void) async throws {
            let options = try ServeOptions.parse([
                "--data", data.string, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--stop-grace", "5",
            ])
            let settings = try ServeSettings(
                options: options, environment: ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"])
            let (ready, announce) = AsyncStream<HostAddresses>.makeStream()
            let host = Host(settings: settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) {
                announce.yield($0)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { announce.finish() }
                    try await host.run(endingOn: [])
                }
                guard let addresses = await ready.first(where: { _ in true }) else {
                    return try await group.waitForAll()
                }
                let token = try String(contentsOfFile: addresses.tokenPath.string, encoding: .utf8)
                try await body(
                    TestHost(
                        http: addresses.http, admin: addresses.admin, data: data,
                        pid: ProcessInfo.processInfo.processIdentifier,
                        token: token.trimmingCharacters(in: .whitespacesAndNewlines)))
                group.cancelAll()
                while let result = await group.nextResult() {
                    if case .failure(let error) = result, !(error is CancellationError) { throw error }
                }
            }
        }
    }
}
