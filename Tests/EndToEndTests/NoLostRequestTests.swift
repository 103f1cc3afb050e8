import AsyncHTTPClient
import Foundation
import NIOCore
import PlatformWire
import Synchronization
import SystemPackage
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(30))) struct NoLostRequestTests {
        @Test func `50 deployments, 10 rollbacks and scaling lose no request`() async throws {
            try await withTemporaryDirectory { directory in
                try await withTestHost(data: directory.appending("data")) { host in
                    try await host.create("echo")
                    let tree = try await WorkTree(at: directory.appending("echo"), files: SampleSources.echo)
                    try #require(try await host.push("echo", from: tree).status == 0)
                    let scaled = try await host.slipway("ps", "scale", "--app", "echo", "web=2")
                    try #require(scaled.status == 0, "\(scaled)")

                    let load = Load(host: host, application: "echo")
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for worker in 0..<4 { group.addTask { try await load.run(seed: UInt64(worker)) } }
                        for number in 1...50 {
                            try tree.write("note.txt", "deployment \(number)\n")
                            let deploy = try await host.slipway("deploy", "--app", "echo", tree.path.string)
                            try #require(deploy.status == 0, "\(number): \(deploy)")
                            if number % 5 == 0 {
                                let back = try await host.slipway("releases", "rollback", "--app", "echo")
                                try #require(back.status == 0, "\(number): \(back)")
                            }
                            if number % 10 == 0 {
                                for count in [4, 1, 2] {
                                    let scale = try await host.slipway("ps", "scale", "--app", "echo", "web=\(count)")
                                    try #require(scale.status == 0, "\(number): \(scale)")
                                }
                            }
                        }
                        load.stop()
                        try await group.waitForAll()
                    }
                    let outcome = load.outcome
                    print("no lost request: \(outcome.good) answers checked, \(outcome.releases.count) releases seen")
                    #expect(outcome.failures.isEmpty, "\(outcome.failures.prefix(10))")
                    #expect(outcome.good > 1_000)
                    #expect(outcome.releases.count >= 50, "\(outcome.releases.sorted())")
                }
            }
        }
    }
}

/// Constant requests over keep-alive connections, each answer checked.
private final class Load: Sendable {
    struct Outcome: Sendable {
        var good = 0
        var failures: [String] = []
        var releases: Set<String> = []
    }

    private let host: TestHost
    private let application: String
    private let state = Mutex((outcome: Outcome(), isStopped: false))

    init(host: TestHost, application: String) {
        self.host = host
        self.application = application
    }

    var outcome: Outcome { self.state.withLock { $0.outcome } }

    func stop() { self.state.withLock { $0.isStopped = true } }

    func run(seed: UInt64) async throws {
        var number = seed << 32
        while !self.state.withLock({ $0.isStopped }) {
            number += 1
            do {
                let failure =
                    number.isMultiple(of: 2) ? try await self.get() : try await self.post(number)
                if let failure { self.state.withLock { $0.outcome.failures.append(failure) } }
            } catch {
                self.state.withLock { $0.outcome.failures.append("\(error)") }
            }
        }
    }

    private func get() async throws -> String? {
        let answer = try await self.host.get(self.application)
        self.note(answer)
        return answer.status == 200 && answer.text == "hello world" ? nil : "GET: \(answer)"
    }

    private func post(_ number: UInt64) async throws -> String? {
        // From nothing to a few hundred kilobytes, so that some span many reads.
        let body = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: Int(number % 64) * 4_096)
        let answer = try await self.host.request(self.application, "/echo", method: .post, body: body)
        self.note(answer)
        return answer.status == 200 && answer.text == sha256(body) ? nil : "POST of \(body.count): \(answer)"
    }

    private func note(_ answer: Answer) {
        self.state.withLock {
            $0.outcome.good += 1
            if let release = answer.headers["x-release"] { $0.outcome.releases.insert(release) }
        }
    }
}
