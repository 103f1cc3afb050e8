import Dispatch
import Foundation
import GitReceiver
import Synchronization

/// Just enough HTTP/1.1 over a loopback socket for the real git client: one request for each connection, chunked
/// and counted bodies, `Expect: 100-continue`. Blocking calls run on a queue of each connection.
final class LoopbackServer: Sendable {
    struct Failure: Error { var what: String }

    private let listener: Int32
    let port: UInt16
    private let connections: AsyncStream<Int32>
    private let acceptor = DispatchQueue(label: "loopback.accept")

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, size) == 0 && listen(listener, 64) == 0
                    && getsockname(listener, address, &size) == 0
            }
        }
        guard listener >= 0, bound else { throw Failure(what: "no loopback socket") }
        self.listener = listener
        self.port = UInt16(bigEndian: address.sin_port)
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
        self.connections = stream
        self.acceptor.async {
            while true {
                let connection = accept(listener, nil, nil)
                if connection < 0, errno == EINTR { continue }
                guard connection >= 0 else { break }
                continuation.yield(connection)
            }
            continuation.finish()
        }
    }

    /// Makes `run` return once the open connections are done.
    func stop() { shutdown(self.listener, Int32(SHUT_RDWR)) }

    deinit { close(self.listener) }

    func run(_ server: GitServer) async {
        await withDiscardingTaskGroup { group in
            for await descriptor in self.connections {
                group.addTask {
                    let connection = Connection(descriptor)
                    await withTaskCancellationHandler {
                        try? await connection.serve(server)
                    } onCancel: {
                        connection.cut()
                    }
                }
            }
        }
    }
}

/// One connection. It is closed when the last reference to it goes.
final class Connection: Sendable, GitBodyWriter {
    private let descriptor: Int32
    private let queue = DispatchQueue(label: "loopback.connection")
    private let buffer = Mutex<[UInt8]>([])

    init(_ descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(self.descriptor) }

    func cut() { shutdown(self.descriptor, Int32(SHUT_RDWR)) }

    func serve(_ server: GitServer) async throws {
        let head = try await self.readHead()
        var lines = head.split(separator: "\r\n").map(String.init)
        let first = lines.removeFirst().split(separator: " ").map(String.init)
        let headers = lines.map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (name: String(parts[0]), value: parts[1].trimmingCharacters(in: .whitespaces))
        }
        func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name }?.value }
        let target = first[1].split(separator: "?", maxSplits: 1).map(String.init)
        let request = GitRequest(
            method: first[0], path: String(target[0].dropFirst("/git".count)), query: target.count > 1 ? target[1] : "",
            headers: headers, pusher: "tester")
        if header("expect")?.lowercased() == "100-continue" {
            try await self.write(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
        }
        let framing: RequestBody.Framing =
            header("transfer-encoding")?.lowercased() == "chunked"
            ? .chunked : .counted(Int(header("content-length") ?? "0") ?? 0)
        let body = RequestBody(connection: self, framing: framing)
        let response = try await server.respond(to: request, body: body)
        // A body that was refused unread would reset the connection when it is closed.
        if response.status != 200 { for try await _ in body {} }
        var text = "HTTP/1.1 \(response.status) Status\r\nConnection: close\r\n"
        for (name, value) in response.headers { text += "\(name): \(value)\r\n" }
        try await self.write(Array((text + "\r\n").utf8))
        switch response.body {
        case .bytes(let bytes): try await self.write(bytes)
        case .stream(let stream): try await stream(self)
        }
        self.cut()
    }

    func write(_ bytes: [UInt8]) async throws {
        try await self.blocking {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes {
                    send(self.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw LoopbackServer.Failure(what: "the client has gone") }
                rest = rest.dropFirst(count)
            }
        }
    }

    private func readHead() async throws -> String {
        while true {
            let head = self.buffer.withLock { buffer -> String? in
                guard let end = buffer.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
                defer { buffer.removeFirst(end.upperBound) }
                return String(decoding: buffer[..<end.lowerBound], as: UTF8.self)
            }
            if let head { return head }
            try await self.fill()
        }
    }

    fileprivate func readLine() async throws -> String {
        while true {
            let line = self.buffer.withLock { buffer -> String? in
                guard let end = buffer.firstRange(of: Array("\r\n".utf8)) else { return nil }
                defer { buffer.removeFirst(end.upperBound) }
                return String(decoding: buffer[..<end.lowerBound], as: UTF8.self)
            }
            if let line { return line }
            try await self.fill()
        }
    }

    /// Between one and `limit` bytes.
    fileprivate func read(atMost limit: Int) async throws -> [UInt8] {
        while true {
            let bytes = self.buffer.withLock { buffer in
                let bytes = Array(buffer.prefix(limit))
                buffer.removeFirst(bytes.count)
                return bytes
            }
            if !bytes.isEmpty { return bytes }
            try await self.fill()
        }
    }

    private func fill() async throws {
        try await self.blocking {
            let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
                count = max(0, recv(self.descriptor, buffer.baseAddress, buffer.count, 0))
            }
            guard !bytes.isEmpty else { throw LoopbackServer.Failure(what: "the client has gone") }
            self.buffer.withLock { $0 += bytes }
        }
    }

    private func blocking(_ work: @escaping @Sendable () throws -> Void) async throws {
        try await withCheckedThrowingContinuation { continuation in
            self.queue.async { continuation.resume(with: Result { try work() }) }
        }
    }
}

/// The body of a request, read when asked for.
struct RequestBody: AsyncSequence, Sendable {
    enum Framing: Sendable { case counted(Int), chunked }

    let connection: Connection
    /// Shared by all iterators, so that the rest of a body can be drained.
    let rest: Rest

    final class Rest: Sendable {
        let state: Mutex<(left: Int, chunked: Bool, atEnd: Bool)>
        init(_ framing: Framing) {
            switch framing {
            case .counted(let count): self.state = Mutex((count, false, count == 0))
            case .chunked: self.state = Mutex((0, true, false))
            }
        }
    }

    init(connection: Connection, framing: Framing) {
        self.connection = connection
        self.rest = Rest(framing)
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        let body: RequestBody

        mutating func next() async throws -> [UInt8]? {
            let (connection, rest) = (self.body.connection, self.body.rest)
            var (left, chunked, atEnd) = rest.state.withLock { $0 }
            if atEnd { return nil }
            if chunked, left == 0 {
                left = Int(try await connection.readLine(), radix: 16) ?? 0
                if left == 0 {
                    _ = try await connection.readLine()
                    rest.state.withLock { $0.atEnd = true }
                    return nil
                }
            }
            let bytes = try await connection.read(atMost: Swift.min(left, 1 << 16))
            left -= bytes.count
            if left == 0 {
                if chunked { _ = try await connection.readLine() } else { atEnd = true }
            }
            let state = (left, chunked, atEnd)
            rest.state.withLock { $0 = state }
            return bytes
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: self) }
}
