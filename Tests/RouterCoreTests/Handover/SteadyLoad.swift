import Synchronization

@testable import RouterCore

/// Clients that go on asking while something happens to the router: each one as soon as it has its answer.
final class SteadyLoad: Sendable {
    /// What a client does over and over again.
    enum Kind: CaseIterable, Sendable {
        case keptGET, keptPOST, newConnections, http2
    }

    private let port: Int
    private let isOver = Atomic(false)
    private let counts = Mutex<[Kind: Int]>([:])
    private let problems = Mutex<[String]>([])

    init(port: Int) { self.port = port }

    /// Runs clients of each kind, each on a thread of its own, for the length of `body`, and returns what went wrong.
    func run(_ body: () async throws -> Void) async throws -> [String] {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for kind in Kind.allCases + [.newConnections, .newConnections] {
                group.addTask {
                    try await onThread {
                        do {
                            while !self.isOver.load(ordering: .relaxed) { try self.connect(kind) }
                        } catch {
                            self.problems.withLock { $0.append("\(kind): \(error)") }
                        }
                    }
                }
            }
            do { try await body() } catch {
                self.isOver.store(true, ordering: .relaxed)
                throw error
            }
            self.isOver.store(true, ordering: .relaxed)
            try await group.waitForAll()
        }
        return self.problems.withLock { $0 }
    }

    /// How many requests of each kind were answered.
    var answered: [Kind: Int] { self.counts.withLock { $0 } }
    var hasFailed: Bool { self.problems.withLock { !$0.isEmpty } }

    /// Uses a connection for as long as the router wants.
    private func connect(_ kind: Kind) throws {
        let socket = try ScriptSocket(port: self.port)
        if kind == .http2 {
            let client = ScriptHTTP2(socket, .client(isSecure: false))
            while client.farewell == nil, !self.isOver.load(ordering: .relaxed) {
                let answer = try client.response(client.ask("POST /", body: "hello"))
                try self.count(kind, answer.status == 200 && answer.body == "hello", answer.head)
            }
            return
        }
        while !self.isOver.load(ordering: .relaxed) {
            let body = kind == .keptGET ? "" : "hello"
            let method = kind == .keptGET ? "GET" : "POST"
            let closing = kind == .newConnections ? "Connection: close\r\n" : ""
            try socket.write(
                "\(method) / HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\(closing)\r\n\(body)")
            let answer = try socket.readMessage()
            try self.count(kind, answer.head.hasPrefix("HTTP/1.1 200 ") && answer.body == body, answer.head)
            if answer.head.contains("Connection: close") { return }
        }
    }

    private func count(_ kind: Kind, _ isRight: Bool, _ what: String) throws {
        guard isRight else { throw ScriptSocket.Failure(description: "answered \(what)") }
        self.counts.withLock { $0[kind, default: 0] += 1 }
    }

    /// Returns once every client has had another answer, or one has failed.
    func progress() async {
        let before = self.answered
        while !self.hasFailed, !Kind.allCases.allSatisfy({ self.answered[$0, default: 0] > before[$0, default: 0] }) {
            await Task.yield()
        }
    }
}
