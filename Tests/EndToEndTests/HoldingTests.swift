import Foundation
import PlatformWire
import Subprocess
import Synchronization
import SystemPackage
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(10))) struct HoldingTests {
        @Test func `requests wait for the only instance of an application that was killed, and none fails`()
            async throws
        {
            try await withTemporaryDirectory { directory in
                let accessLog = directory.appending("access.log")
                try await withTestHost(
                    data: directory.appending("data"), arguments: ["--access-log", accessLog.string]
                ) { host in
                    try await host.create("echo")
                    let tree = try await WorkTree(at: directory.appending("echo"), files: SampleSources.echo)
                    try #require(try await host.push("echo", from: tree).status == 0)
                    let visits = Visits()
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<4 { group.addTask { try await visits.run(host) } }
                        for restarts in 1...3 {
                            let pid = try #require(try await self.only(host).pid)
                            kill(pid, SIGKILL)
                            var now = try await self.only(host)
                            while now.restarts < restarts || now.state != "ready" { now = try await self.only(host) }
                            let seen = visits.good
                            while visits.good < seen + 50 { await Task.yield() }
                        }
                        visits.stop()
                        try await group.waitForAll()
                    }
                    #expect(visits.failures.isEmpty, "\(visits.failures.prefix(5))")

                    let metrics = try await host.metricsText()
                    let count = visits.good
                    #expect(
                        metrics.contains("slipway_requests_total{app=\"echo\",status=\"2xx\"} \(count)\n"),
                        "\(count)")
                    #expect(metrics.contains("slipway_router_instance_requests_total{app=\"echo\",process=\"web.1\""))

                    // What is not to run is not waited for.
                    let scaled = try await host.slipway("ps", "scale", "--app", "echo", "web=0")
                    #expect(scaled.status == 0, "\(scaled)")
                    let answer = try await host.get("echo")
                    #expect(answer.status == 503 && answer.headers["x-slipway-error"] == "no-healthy-instance")
                }
                let lines = try String(contentsOfFile: accessLog.string, encoding: .utf8).split(separator: "\n")
                #expect(lines.filter { $0.contains(" status=200 app=echo instance=web.1 ") }.count > 150)
                #expect(lines.last?.contains("status=503 app=echo") == true, "\(lines.suffix(3))")
            }
        }

        @Test func `requests that come while the host starts wait for the applications`() async throws {
            try await withTemporaryDirectory { directory in
                let data = directory.appending("data")
                let ports = try FreePorts.find(1)
                let arguments = ["--http", "127.0.0.1:\(ports[0])"]
                try await withTestHost(data: data, arguments: arguments) { host in
                    try await host.create("echo")
                    let tree = try await WorkTree(at: directory.appending("echo"), files: SampleSources.echo)
                    try #require(try await host.push("echo", from: tree).status == 0)
                }
                // It asks until it is let in: the first answer is the application's own.
                let first = Task {
                    try await command(
                        .name("curl"),
                        [
                            "-sS", "--retry", "1000", "--retry-connrefused", "--retry-delay", "1", "--max-time", "60",
                            "-w",
                            " %{http_code}", "-H", "Host: echo.localhost", "http://127.0.0.1:\(ports[0])/",
                        ])
                }
                let answer = try await withTestHost(data: data, arguments: arguments) { _ in try await first.value }
                #expect(answer.output.hasSuffix("hello world 200"), "\(answer)")
            }
        }

        private func only(_ host: TestHost) async throws -> InstanceInfo {
            try #require(try await host.instances("echo").first)
        }
    }
}

/// Requests one after the other, from several tasks.
private final class Visits: Sendable {
    private let state = Mutex((good: 0, failures: [String](), isOver: false))

    var good: Int { self.state.withLock { $0.good } }
    var failures: [String] { self.state.withLock { $0.failures } }
    func stop() { self.state.withLock { $0.isOver = true } }

    func run(_ host: TestHost) async throws {
        while !self.state.withLock({ $0.isOver }) {
            let answer = try await host.get("echo")
            self.state.withLock { state in
                if answer.status == 200 { state.good += 1 } else { state.failures.append("\(answer)") }
            }
        }
    }
}
