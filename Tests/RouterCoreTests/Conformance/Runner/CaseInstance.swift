import NIOCore

/// The instance behind the proxy: one for all cases, on one port, which does what the current case's script says.
final class CaseInstance: Sendable {
    private struct State: Sendable {
        var session: CaseSession?
        var connections: [ObjectIdentifier: WireConnection] = [:]
    }

    let port: Int
    private let channel: any Channel
    private let accepted: AsyncStream<WireConnection>
    private let state = Watched(State())

    private init() async throws {
        let (accepted, continuation) = AsyncStream<WireConnection>.makeStream()
        self.accepted = accepted
        self.channel = try await WireConnection.listen { continuation.yield($0) }
        self.channel.closeFuture.whenComplete { _ in continuation.finish() }
        self.port = self.channel.localAddress?.port ?? 0
    }

    /// Listens for the length of `body`.
    static func run<R>(_ body: (CaseInstance) async throws -> R) async throws -> R {
        let instance = try await CaseInstance()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await instance.serve() }
            let result: Result<R, any Error>
            do { result = .success(try await body(instance)) } catch { result = .failure(error) }
            try? await instance.channel.close().get()
            for connection in instance.state.value.connections.values { await connection.close() }
            try await group.waitForAll()
            return try result.get()
        }
    }

    /// Serves a case from now on, or none.
    func play(_ session: CaseSession?) { self.state.update { $0.session = session } }

    private func serve() async {
        await withDiscardingTaskGroup { group in
            for await connection in self.accepted {
                let id = ObjectIdentifier(connection)
                self.state.update { $0.connections[id] = connection }
                group.addTask {
                    await self.serve(connection)
                    await connection.close()
                    self.state.update { $0.connections[id] = nil }
                }
            }
        }
    }

    private func serve(_ connection: WireConnection) async {
        var offset = 0
        while true {
            let start = offset
            _ = await connection.received.wait(atMost: nil) { received in
                received.isEnded || MessageHead(received.bytes[start...]) != nil
            }
            let received = connection.received.value
            guard let request = SeenMessage.request(received.bytes[start...], ended: received.isEnded) else { return }
            if request.target.hasPrefix(Probe.path) {
                guard request.body.isComplete else { return }
                await connection.send(Probe.answer(to: request.target))
                offset += request.wire.count
                continue
            }
            guard let session = self.state.value.session else { return }
            var exchange = InstanceExchange(connection, session, request, at: start)
            guard let length = await exchange.play() else { return }
            offset += length
        }
    }
}

/// A request that shows whether a connection still works, and whether its answer is its own.
enum Probe {
    static let path = "/probe/"

    static func request(_ number: Int) -> [UInt8] {
        Array("GET \(self.path)\(number) HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
    }

    static func answer(to target: String) -> [UInt8] {
        Array("HTTP/1.1 200 OK\r\nContent-Length: \(target.utf8.count)\r\nX-Probe: \(target)\r\n\r\n\(target)".utf8)
    }

    static func isAnswer(_ message: SeenMessage, to number: Int) -> Bool {
        let target = self.path + String(number)
        return message.status == 200 && message.head.values("X-Probe") == [target]
            && message.body.bytes == Array(target.utf8)
    }
}
