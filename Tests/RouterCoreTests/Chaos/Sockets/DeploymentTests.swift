import Foundation
import NIOCore
import Synchronization
import Testing

@testable import RouterCore

/// What the clients of a deployment test have met.
final class LoadOutcome: Sendable {
    private let state = Mutex((counts: [String: Int](), failures: [String]()))
    private let isOver = Atomic(false)

    var isStopped: Bool { self.isOver.load(ordering: .relaxed) }
    func stop() { self.isOver.store(true, ordering: .relaxed) }

    func count(_ name: String) { self.state.withLock { $0.counts[name, default: 0] += 1 } }
    func fail(_ text: String) { self.state.withLock { $0.failures.append(text) } }

    subscript(name: String) -> Int { self.state.withLock { $0.counts[name, default: 0] } }
    var failures: [String] { self.state.withLock { $0.failures } }
    var summary: String {
        self.state.withLock { state in
            state.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        }
    }
}

/// A client that asks again and again, over a thread of its own. Each checks every byte of an answer that matters.
struct LoadClient: Sendable, CustomStringConvertible {
    var description: String
    /// A connection's work; called until the load stops.
    var run: @Sendable (_ port: Int, _ outcome: LoadOutcome) throws -> Void

    func repeatedly(_ port: Int, _ outcome: LoadOutcome) async {
        _ = try? await onThread {
            while !outcome.isStopped {
                do {
                    try self.run(port, outcome)
                } catch {
                    // Its application may have gone by now.
                    if !outcome.isStopped { outcome.fail("\(self): \(error)") }
                }
            }
        }
    }

    static let all = [
        get(perConnection: 1), get(perConnection: 50), post(chunked: false), post(chunked: true), pipelined, frames,
        frameBodies, webSocket, webSocket, events,
    ]

    private static func expect(_ answer: (head: String, body: String), _ body: String) throws {
        guard answer.head.hasPrefix("HTTP/1.1 200 "), answer.body == body else {
            throw ScriptSocket.Failure(description: "\(answer.head)\(answer.body.prefix(100))")
        }
    }

    private static func get(perConnection count: Int) -> LoadClient {
        LoadClient(description: "GET, \(count) on a connection") { port, outcome in
            let client = try ScriptSocket(port: port)
            defer { client.end() }
            for number in 0..<count where !outcome.isStopped {
                try client.write("GET /\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
                try self.expect(client.readMessage(), "")
                outcome.count("GET")
            }
        }
    }

    private static func post(chunked: Bool) -> LoadClient {
        LoadClient(description: "POST\(chunked ? " in chunks" : "")") { port, outcome in
            let client = try ScriptSocket(port: port)
            defer { client.end() }
            for number in 0..<50 where !outcome.isStopped {
                let body = String(repeating: "\(number % 10)", count: number * 997)
                let framing = chunked ? "Transfer-Encoding: chunked" : "Content-Length: \(body.utf8.count)"
                let size = String(body.utf8.count, radix: 16)
                let data = !chunked ? body : body.isEmpty ? "0\r\n\r\n" : "\(size)\r\n\(body)\r\n0\r\n\r\n"
                try client.write("POST / HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n")
                try client.write(data)
                try self.expect(client.readMessage(), body)
                outcome.count("POST")
            }
        }
    }

    private static let pipelined = LoadClient(description: "pipelined") { port, outcome in
        let client = try ScriptSocket(port: port)
        defer { client.end() }
        for _ in 0..<20 where !outcome.isStopped {
            let bodies = (0..<5).map { String(repeating: "p", count: $0) }
            try client.write(
                bodies.map { "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: \($0.utf8.count)\r\n\r\n\($0)" }.joined())
            for body in bodies {
                try Self.expect(client.readMessage(), body)
                outcome.count("pipelined")
            }
        }
    }

    private static let frames = LoadClient(description: "HTTP/2") { port, outcome in
        let http2 = ScriptHTTP2(try ScriptSocket(port: port), .client(isSecure: false))
        defer { http2.socket.end() }
        for _ in 0..<10 where !outcome.isStopped {
            let ids = try (0..<20).map { _ in try http2.ask("GET /") }
            for id in ids { try Self.check(http2.response(id), "", outcome) }
        }
    }

    private static let frameBodies = LoadClient(description: "HTTP/2 with bodies") { port, outcome in
        let http2 = ScriptHTTP2(try ScriptSocket(port: port), .client(isSecure: false))
        defer { http2.socket.end() }
        for number in 0..<10 where !outcome.isStopped {
            let body = String(repeating: "f", count: number * 1000)
            let ids = try (0..<5).map { _ in try http2.ask("POST /", body: body) }
            for id in ids { try Self.check(http2.response(id), body, outcome) }
        }
    }

    private static func check(
        _ answer: (status: Int?, head: String, body: String), _ body: String, _ outcome: LoadOutcome
    ) throws {
        guard answer.status == 200, answer.body == body else {
            throw ScriptSocket.Failure(description: "\(answer.head)\(answer.body.prefix(100))")
        }
        outcome.count("HTTP/2")
    }

    /// Uses its connection, then waits for its end, which has to be an orderly one.
    private static let webSocket = LoadClient(description: "WebSocket") { port, outcome in
        let client = try ScriptSocket(port: port)
        defer { client.end() }
        try client.write("GET /ws HTTP/1.1\r\nHost: stream\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        guard try Self.begins(client, "HTTP/1.1 101 ", outcome) else { return }
        try client.write("hello")
        let echo: String
        do {
            echo = try client.read(count: 5)
        } catch let end as ScriptSocket.Failure
            where end.code == ECONNRESET || end.code == 0 && client.unread.isEmpty
        {
            // Its instance's grace has ended. What was on its way to the router then resets the connection.
            return outcome.count("WebSocket that ended before its echo")
        }
        let rest = try Self.readToOrderlyEnd(client)
        guard echo + rest == "hello" else { throw ScriptSocket.Failure(description: "no echo: \(echo)\(rest)") }
        outcome.count("WebSocket")
    }

    private static let events = LoadClient(description: "events") { port, outcome in
        let client = try ScriptSocket(port: port)
        defer { client.end() }
        try client.write("GET /events HTTP/1.1\r\nHost: stream\r\n\r\n")
        guard try Self.begins(client, "HTTP/1.1 200 ", outcome) else { return }
        let data = try Self.readToOrderlyEnd(client)
        guard data.contains("data: first\n\n") else { throw ScriptSocket.Failure(description: "no event: \(data)") }
        outcome.count("event stream")
    }

    /// False when its instance's grace ended before it had answered: that is said in so many words.
    private static func begins(_ client: ScriptSocket, _ start: String, _ outcome: LoadOutcome) throws -> Bool {
        let head = try client.read(until: "\r\n\r\n")
        if head.hasPrefix(start) { return true }
        guard head.contains("X-Slipway-Error: drained") else { throw ScriptSocket.Failure(description: head) }
        outcome.count("stream that came too late for its instance")
        return false
    }

    /// A reset is a failure.
    private static func readToOrderlyEnd(_ client: ScriptSocket) throws -> String {
        var text = ""
        while case let bytes = try client.readSome(), !bytes.isEmpty { text += String(decoding: bytes, as: UTF8.self) }
        return text
    }
}

/// An application's releases, one after the other.
private struct Deployments {
    let application: String
    let host: String
    let grace: Duration
    let router: Router
    private var number = 0
    private var instances: [TestOrigin] = []
    private var ids: Set<BackendID> = []

    init(application: String, host: String, grace: Duration, router: Router) {
        self.application = application
        self.host = host
        self.grace = grace
        self.router = router
    }

    /// New instances, the route to them, the drain of the old ones, and their end: as a rollout does it.
    mutating func next() async throws {
        let new = [try await Self.instance(), try await Self.instance()]
        self.number += 1
        let names = new.indices.map { "\(self.application).\(self.number).\($0)" }
        try self.router.setOrigins(new, names: names) {
            $0.application = self.application
            $0.hosts = [self.host]
        }
        await self.retire()
        self.instances = new
        self.ids = Set(names.map { BackendID($0) })
    }

    mutating func end() async {
        self.router.removeRoute(application: self.application)
        await self.retire()
        self.instances = []
    }

    private func retire() async {
        let report = await self.router.drain(self.ids, grace: self.grace)
        if self.grace >= .seconds(1) { #expect(report.completed, "\(report)") }
        for instance in self.instances { await instance.stop() }
    }

    private static func instance() async throws -> TestOrigin {
        try await TestOrigin { request in
            switch request.path {
            case "/ws": .tunnel
            case "/events": .bytes("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: first\n\n")
            // Some are still at work when the route changes.
            default: request.number.isMultiple(of: 7) ? .echoLater(3) : .echo
            }
        }
    }
}

@Suite(.timeLimit(.minutes(2))) struct `A hundred deployments` {
    @Test(arguments: Driver.allCases) func `lose no request of any kind of client`(driver: Driver) async throws {
        let outcome = LoadOutcome()
        try await withRouter(driver) { router, port in
            let before = openDescriptors()
            // What is in flight is waited for; streams, which never end by themselves, get a short grace.
            var requests = Deployments(application: "app", host: "a", grace: .seconds(20), router: router)
            var streams = Deployments(application: "streams", host: "stream", grace: .milliseconds(50), router: router)
            try await requests.next()
            try await streams.next()
            await withTaskGroup(of: Void.self) { group in
                for client in LoadClient.all { group.addTask { await client.repeatedly(port, outcome) } }
                do {
                    for _ in 0..<100 {
                        let answered = outcome["GET"] + outcome["POST"]
                        try await requests.next()
                        try await streams.next()
                        // Deployments and requests alternate, even on one core.
                        #expect(await eventually { outcome["GET"] + outcome["POST"] >= answered + 2 })
                    }
                } catch {
                    outcome.fail("deployment: \(error)")
                }
                outcome.stop()
                await streams.end()
                await group.waitForAll()
                await requests.end()
            }
            #expect(await eventually { openDescriptors() < before + 20 }, "\(before), then \(openDescriptors())")
        }
        print("100 deployments, \(driver): \(outcome.summary); \(outcome.failures.count) failures")
        #expect(outcome.failures.isEmpty, "\(outcome.failures.prefix(10))")
        for kind in ["GET", "POST", "pipelined", "HTTP/2", "WebSocket", "event stream"] {
            #expect(outcome[kind] >= 20, "\(kind): \(outcome[kind])")
        }
    }
}
