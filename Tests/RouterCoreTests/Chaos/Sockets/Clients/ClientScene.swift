import Foundation

@testable import RouterCore

/// What the instance has met, counted by name; clients wait for it.
final class Notes: Sendable {
    private final class Counts {
        var byName: [String: Int] = [:]
    }
    private let condition = NSCondition()
    /// The condition's lock is held wherever they are touched.
    private nonisolated(unsafe) let counts = Counts()

    func add(_ name: String) {
        self.condition.withLock {
            self.counts.byName[name, default: 0] += 1
            self.condition.broadcast()
        }
    }

    subscript(name: String) -> Int { self.condition.withLock { self.counts.byName[name, default: 0] } }

    /// Waits until something has happened so many times.
    func wait(for name: String, count: Int) throws {
        let deadline = Date(timeIntervalSinceNow: 20)
        try self.condition.withLock {
            while self.counts.byName[name, default: 0] < count {
                guard self.condition.wait(until: deadline) else {
                    throw ScriptSocket.Failure(description: "not '\(name)' \(count) times: \(self.counts.byName)")
                }
            }
        }
    }
}

/// What a client's script has to do with.
struct ClientScene: Sendable {
    var port: Int
    var securePort: Int
    var notes: Notes
    /// How often the script has been run before.
    var round: Int

    /// Waits until the instance has met something as often as the script was run, or so many times as often.
    func wait(for name: String, each: Int = 1) throws {
        try self.notes.wait(for: name, count: (self.round + 1) * each)
    }

    func client(receives bytes: Int32? = nil) throws -> ScriptSocket {
        try ScriptSocket(port: self.port, buffers: .init(receive: bytes))
    }

    func http2(consumes: Bool = true, window: Int = 262_144) throws -> ScriptHTTP2 {
        ScriptHTTP2(try self.client(), .client(isSecure: false), window: window, consumes: consumes)
    }
}

/// An instance that takes what clients do to it, and notes how their requests ended:
///
/// - `whole`: a request with its body;
/// - `cut`: a request whose connection ended before its body did;
/// - `aborted`: a connection that was ended while the answer was not out;
/// - `tunnel ended`: an upgraded connection that ended.
struct NotingInstance {
    static func make(_ notes: Notes) throws -> ScriptedInstance {
        try ScriptedInstance(buffers: .init(send: 32_768)) { socket, _ in
            while true {
                let head = try socket.read(until: "\r\n\r\n")
                let path = String(head.split(separator: " ")[1])
                notes.add("head of \(path)")
                let body: String
                do {
                    body = try socket.readBody(of: head)
                } catch {
                    return notes.add("cut")
                }
                if path != "/ok", path != "/page" { notes.add("whole") }
                switch path {
                case "/ok", "/next": try socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                case "/page":
                    try socket.write("HTTP/1.1 200 OK\r\nContent-Length: 16384\r\n\r\n" + Self.page)
                case "/echo":
                    try socket.write("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
                case "/large":
                    try socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
                    return Self.pour(into: socket, notes)
                case "/events":
                    try socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: first\n\n")
                    try socket.waitForHangUp()
                    return notes.add("aborted")
                case "/chat", "/farewell":
                    defer { notes.add("tunnel ended") }
                    try socket.write(
                        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
                    if path == "/farewell" { return try socket.write("bye") }
                    while case let bytes = try socket.readSome(), !bytes.isEmpty { try socket.write(bytes) }
                    return try socket.write("bye")
                default:
                    // `/hold`, `/slow-chat`: no answer.
                    try socket.waitForHangUp()
                    return notes.add("aborted")
                }
            }
        }
    }

    private static let page = String(repeating: "x", count: 16_384)

    /// Writes until nobody takes it.
    private static func pour(into socket: ScriptSocket, _ notes: Notes) {
        let block = [UInt8](repeating: 0x78, count: 65_536)
        for _ in 0..<1500 {
            guard (try? socket.write(block)) != nil else { return notes.add("aborted") }
        }
    }
}
