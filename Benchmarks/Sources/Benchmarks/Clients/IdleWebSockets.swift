import Foundation
import Glibc

/// Connections that were upgraded, carried a few bytes each way, and then nothing: both their ends.
final class IdleWebSockets {
    private let listening: Int32
    private let echo: Thread
    private var clients: [Int32] = []
    let port: Int

    private static let agreement =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    /// A masked ping with four bytes, as the protocol wants it of clients.
    private static let frame: [UInt8] = [0x89, 0x84, 1, 2, 3, 4, 5, 6, 7, 8]

    /// Starts the end that accepts.
    init() throws {
        let (listening, port) = try Loopback.listen()
        self.listening = listening
        self.port = port
        self.echo = Thread { Self.accept(on: listening) }
        self.echo.start()
    }

    /// Opens connections through a proxy, one after the other.
    func open(_ count: Int, host: String, port: Int) throws {
        let request =
            "GET /socket HTTP/1.1\r\nHost: \(host)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        for number in 1...count {
            guard let descriptor = Loopback.connect(port: port) else {
                throw Failure("connection \(number) is refused")
            }
            self.clients.append(descriptor)
            Self.send(Array(request.utf8), on: descriptor)
            let head = Self.receiveHead(on: descriptor)
            guard head.hasPrefix("HTTP/1.1 101 ") else {
                throw Failure("connection \(number) is not upgraded: \(head.prefix(60))")
            }
            Self.send(Self.frame, on: descriptor)
            var buffer = [UInt8](repeating: 0, count: Self.frame.count)
            guard recv(descriptor, &buffer, buffer.count, Int32(MSG_WAITALL)) == buffer.count else {
                throw Failure("connection \(number) carries nothing")
            }
        }
    }

    /// Closes both ends of all.
    func close() {
        for descriptor in self.clients { Glibc.close(descriptor) }
        self.clients = []
        shutdown(self.listening, Int32(SHUT_RDWR))
        while !self.echo.isFinished { usleep(1_000) }
        Glibc.close(self.listening)
    }

    private static func accept(on listening: Int32) {
        var accepted: [Int32] = []
        while true {
            let descriptor = Glibc.accept(listening, nil, nil)
            guard descriptor >= 0 else { break }
            accepted.append(descriptor)
            var limit = timeval(tv_sec: 5, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            // What only looks whether somebody listens says nothing.
            guard !Self.receiveHead(on: descriptor).isEmpty else { continue }
            Self.send(Array(Self.agreement.utf8), on: descriptor)
            var buffer = [UInt8](repeating: 0, count: Self.frame.count)
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_WAITALL))
            if count > 0 { Self.send(Array(buffer[..<count]), on: descriptor) }
        }
        for descriptor in accepted { Glibc.close(descriptor) }
    }

    private static func send(_ bytes: [UInt8], on descriptor: Int32) {
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Up to the empty line; empty when the connection ends before. Nothing follows a head here before it is answered.
    private static func receiveHead(on descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while !bytes.suffix(4).elementsEqual([13, 10, 13, 10]) {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return "" }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
