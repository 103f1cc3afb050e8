import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import PlatformWire
import Synchronization
import SystemPackage
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(5))) struct UpgradeTests {
        @Test func `a new host takes over under load: no request fails, no instance is restarted`() async throws {
            try await withTemporaryDirectory { directory in
                try await withTestHost(data: directory.appending("data")) { host in
                    let pids = try await self.deploy(host, in: directory)
                    let successor = try await self.underLoad(host) {
                        try await self.upgradedPID(host.slipway("upgrade", "--data", host.data.string))
                    }
                    #expect(successor != host.pid && isAlive(successor))
                    #expect(try await host.instances("echo").compactMap(\.pid).sorted() == pids)

                    // And that one can be upgraded as well, and does all that a host does.
                    let next = try await self.underLoad(host) {
                        try await self.upgradedPID(host.slipway("upgrade", "--data", host.data.string))
                    }
                    #expect(try await host.instances("echo").compactMap(\.pid).sorted() == pids)
                    let scale = try await host.slipway("ps", "scale", "--app", "echo", "web=1")
                    #expect(scale.status == 0, "\(scale)")
                    let run = try await host.slipway("run", "--app", "echo", "--", "sh", "-c", "exit 5")
                    #expect(run.status == 5, "\(run)")
                    kill(next, SIGTERM)
                    while !(try processes(of: host.data).isEmpty) {}
                    // One that is about to be gone has no command line any more.
                    while pids.contains(where: isAlive) { await Task.yield() }
                }
            }
        }

        /// One that ends at once, one that ends when it has got the data directory, and one that does when it has got the
        /// instances: a port that it wants is taken.
        @Test(arguments: [
            "exit 3", "echo prepared >&3; read word <&3; exit 4", "SLIPWAY_HTTPS=ADMIN exec SLIPWAY \"$@\"",
        ])
        func `a new host that does not come up leaves the old one serving`(script: String) async throws {
            try await withTemporaryDirectory { directory in
                try await withTestHost(data: directory.appending("data")) { host in
                    let program = directory.appending("slipway")
                    let text = script.replacing("ADMIN", with: host.admin)
                        .replacing("SLIPWAY ", with: "'\(TestHost.executable)' ")
                    try Data("#!/bin/sh\n\(text)\n".utf8).write(to: URL(filePath: program.string))
                    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.string)
                    let pids = try await self.deploy(host, in: directory)
                    let upgrade = try await self.underLoad(host) {
                        try await host.slipway(
                            "upgrade", "--data", host.data.string, "--program", program.string)
                    }
                    #expect(upgrade.status == 1, "\(upgrade)")
                    #expect(upgrade.error.contains("it ended with status"), "\(upgrade)")
                    #expect(try await host.instances("echo").compactMap(\.pid).sorted() == pids)
                    let restart = try await host.slipway("ps", "restart", "--app", "echo", "web.1")
                    #expect(restart.status == 0, "\(restart)")
                }
            }
        }

        @Test func `when a new host dies with the sockets, the old one begins anew`() async throws {
            try await withTemporaryDirectory { directory in
                // It has them again afterwards, whichever they are.
                let ports = try FreePorts.find(2)
                let arguments = ["--http", "127.0.0.1:\(ports[0])", "--admin", "127.0.0.1:\(ports[1])"]
                try await withTestHost(data: directory.appending("data"), arguments: arguments) { host in
                    let program = directory.appending("slipway")
                    let text = "exec '\(TestHost.executable)' \"$@\" --kill-at accepting"
                    try Data("#!/bin/sh\n\(text)\n".utf8).write(to: URL(filePath: program.string))
                    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.string)
                    let pids = try await self.deploy(host, in: directory)
                    let upgrade = try await host.slipway(
                        "upgrade", "--data", host.data.string, "--program", program.string)
                    #expect(upgrade.status == 1 && upgrade.error.contains("begins anew"), "\(upgrade)")
                    // Until it listens again, nobody does.
                    while (try? await host.get("echo"))?.status != 200 { await Task.yield() }
                    while (try? await host.slipway("apps", "list", "--json"))?.status != 0 {}
                    #expect(try await host.instances("echo").compactMap(\.pid).sorted() == pids)
                    #expect(isAlive(host.pid))
                }
            }
        }

        @Test func `a host that only answers its last requests ends at SIGTERM, and the new one goes on`() async throws
        {
            try await withTemporaryDirectory { directory in
                try await withTestHost(data: directory.appending("data")) { host in
                    var files = SampleSources.echo
                    files["server.js"] = """
                        require('http').createServer((request, response) => {
                          if (request.url === '/endless') response.write('begun'); else response.end('hello');
                        }).listen(process.env.PORT);
                        """
                    let pids = try await self.deploy(host, in: directory, files: files)
                    var request = HTTPClientRequest(url: "http://\(host.http)/endless")
                    request.headers.add(name: "host", value: "echo.localhost")
                    let answer = try await HTTPClient.shared.execute(request, timeout: .minutes(5))
                    var body = answer.body.makeAsyncIterator()
                    #expect(try await body.next().map { String(buffer: $0) } == "begun")
                    let next = try await self.upgradedPID(host.slipway("upgrade", "--data", host.data.string))
                    #expect(isAlive(host.pid), "it has this one to answer")
                    kill(host.pid, SIGTERM)
                    await #expect(throws: (any Error).self) { while try await body.next() != nil {} }
                    while isAlive(host.pid) { await Task.yield() }
                    #expect(try await host.get("echo").status == 200)
                    #expect(try await host.instances("echo").compactMap(\.pid).sorted() == pids)
                    kill(next, SIGTERM)
                    while !(try processes(of: host.data).isEmpty) {}
                }
            }
        }

        @Test func `what is under way is not broken off unasked`() async throws {
            try await withTemporaryDirectory { directory in
                try await withTestHost(data: directory.appending("data")) { host in
                    _ = try await self.deploy(host, in: directory)
                    _ = try await host.slipway("run", "--detach", "--app", "echo", "--", "sleep", "1000")
                    let refused = try await host.slipway("upgrade", "--data", host.data.string)
                    #expect(refused.status == 1 && refused.error.contains("run.1 of echo"), "\(refused)")
                    let forced = try await host.slipway("upgrade", "--force", "--data", host.data.string)
                    kill(try self.upgradedPID(forced), SIGTERM)
                }
            }
        }

        private func deploy(
            _ host: TestHost, in directory: FilePath, files: [String: String] = SampleSources.echo
        ) async throws -> [Int32] {
            try await host.create("echo")
            let tree = try await WorkTree(at: directory.appending("echo"), files: files)
            let push = try await host.push("echo", from: tree)
            try #require(push.status == 0, "\(push)")
            let scale = try await host.slipway("ps", "scale", "--app", "echo", "web=2", "worker=1")
            try #require(scale.status == 0, "\(scale)")
            return try await host.instances("echo").compactMap(\.pid).sorted()
        }

        private func upgradedPID(_ result: CommandResult) throws -> Int32 {
            try #require(result.status == 0, "\(result)")
            let word = result.output.split(separator: " ").first { Int32($0) != nil }
            return try #require(word.flatMap { Int32($0) }, "\(result)")
        }

        private final class Load: Sendable {
            let isOver = Mutex(false)
            let count = Mutex(0)

            func visit(_ host: TestHost) async throws {
                while !self.isOver.withLock({ $0 }) {
                    let answer = try await host.get("echo")
                    #expect(answer.status == 200, "\(answer)")
                    self.count.withLock { $0 += 1 }
                }
            }

            func ask(_ host: TestHost) async throws {
                while !self.isOver.withLock({ $0 }) {
                    let list = try await host.slipway("apps", "list", "--json")
                    #expect(list.status == 0, "\(list)")
                }
            }
        }

        /// Runs `body` while visitors and clients of the API ask without a pause; each must be answered.
        private func underLoad<R: Sendable>(
            _ host: TestHost, _ body: @escaping @Sendable () async throws -> R
        ) async throws -> R {
            let load = Load()
            return try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { try await load.visit(host) } }
                group.addTask { try await load.ask(host) }
                let result = try await body()
                load.isOver.withLock { $0 = true }
                try await group.waitForAll()
                #expect(load.count.withLock { $0 } > 0)
                return result
            }
        }
    }
}
