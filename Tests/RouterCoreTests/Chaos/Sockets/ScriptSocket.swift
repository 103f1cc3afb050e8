import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Runs what waits for sockets on a thread of its own, so that no other test waits with it.
func onThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread { continuation.resume(with: Result { try body() }) }
        thread.stackSize = 512 << 10
        thread.start()
    }
}

/// One end of a connection for a script that is written in the order in which it happens: every call waits, and gives
/// up when nothing has happened for a long time.
final class ScriptSocket: Sendable {
    struct Failure: Error, CustomStringConvertible {
        var description: String
        /// What the system said; 0 when the peer had ended its side.
        var code: Int32?
    }

    /// How much of its buffers the kernel gives a socket.
    struct Buffers {
        var receive: Int32?
        var send: Int32?
        /// The largest segment that the peer may send: with small ones its kernel keeps little for this end.
        var segment: Int32?
    }

    private final class Input {
        var bytes: [UInt8] = []
    }

    let descriptor: Int32
    /// Only the script's thread reads.
    private nonisolated(unsafe) let input = Input()

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(self.descriptor) }

    convenience init(port: Int, buffers: Buffers = Buffers()) throws {
        self.init(Self.socket(buffers))
        var address = Self.loopback(port)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(self.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure(description: "connect: \(errno)") }
    }

    static func socket(_ buffers: Buffers) -> Int32 {
        #if os(Linux)
            let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            let descriptor = Darwin.socket(AF_INET, SOCK_STREAM, 0)
        #endif
        let size = socklen_t(MemoryLayout<Int32>.size)
        if var bytes = buffers.receive { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, size) }
        if var bytes = buffers.send { setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, size) }
        if var bytes = buffers.segment { setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_MAXSEG, &bytes, size) }
        return descriptor
    }

    static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        return address
    }

    // MARK: Writing

    func write(_ text: String) throws { try self.write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(self.descriptor, $0.baseAddress, $0.count, Self.noSignal)
            }
            guard count > 0 else { throw Failure(description: "send: \(errno)") }
            sent += count
        }
    }

    /// Writes until the peer has taken nothing for a while, and returns how much that was.
    func writeUntilBlocked(limit: Int) throws -> Int {
        let block = [UInt8](repeating: 0x78, count: 65_536)
        var sent = 0
        while sent < limit {
            let count = block.withUnsafeBytes {
                send(self.descriptor, $0.baseAddress, min($0.count, limit - sent), Self.noSignal | Int32(MSG_DONTWAIT))
            }
            if count > 0 {
                sent += count
                continue
            }
            guard errno == EAGAIN else { throw Failure(description: "send: \(errno)") }
            var waiting = pollfd(fd: self.descriptor, events: Int16(POLLOUT), revents: 0)
            if poll(&waiting, 1, 300) == 0 { break }
        }
        return sent
    }

    func finishWriting() { shutdown(self.descriptor, Int32(SHUT_WR)) }

    /// Ends the connection with a reset, whatever is still on its way.
    func reset() {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
        self.end()
    }

    /// Closes. The kernel resets the connection when something was not read.
    func end() {
        // The descriptor stays this object's: another socket takes the place of the one that is gone.
        let other = Self.socket(Buffers())
        dup2(other, self.descriptor)
        close(other)
    }

    // MARK: Reading

    /// More bytes; false at the end.
    private func receive() throws -> Bool {
        var block = [UInt8](repeating: 0, count: 65_536)
        let count = block.withUnsafeMutableBytes { recv(self.descriptor, $0.baseAddress, $0.count, 0) }
        guard count >= 0 else {
            let code = errno
            throw Failure(description: "recv: \(code), after \(self.unread.suffix(200))", code: code)
        }
        self.input.bytes += block[..<count]
        return count > 0
    }

    /// Some bytes, as soon as there are any; none at the end.
    func readSome() throws -> [UInt8] {
        if self.input.bytes.isEmpty { _ = try self.receive() }
        defer { self.input.bytes = [] }
        return self.input.bytes
    }

    /// What has arrived and was not taken.
    var unread: String { String(decoding: self.input.bytes, as: UTF8.self) }

    private func take(_ count: Int) -> String { String(decoding: self.takeBytes(count), as: UTF8.self) }

    private func takeBytes(_ count: Int) -> [UInt8] {
        defer { self.input.bytes.removeFirst(count) }
        return Array(self.input.bytes[..<count])
    }

    /// What comes up to these characters, and they.
    func read(until mark: String) throws -> String {
        let mark = Array(mark.utf8)
        while true {
            if let range = self.input.bytes.firstRange(of: mark) { return self.take(range.upperBound) }
            guard try self.receive() else { throw Failure(description: "ended after \(self.unread)") }
        }
    }

    func read(count: Int) throws -> String { String(decoding: try self.readBytes(count: count), as: UTF8.self) }

    func readBytes(count: Int) throws -> [UInt8] {
        while self.input.bytes.count < count {
            guard try self.receive() else { throw Failure(description: "ended after \(self.unread)", code: 0) }
        }
        return self.takeBytes(count)
    }

    /// Everything up to the end; a reset is an end, too.
    func readToEnd() -> String {
        while (try? self.receive()) == true {}
        return self.take(self.input.bytes.count)
    }

    /// A request or response with a length or in chunks: its head, and its data.
    func readMessage() throws -> (head: String, body: String) {
        let head = try self.read(until: "\r\n\r\n")
        return (head, try self.readBody(of: head))
    }

    /// The data behind a head.
    func readBody(of head: String) throws -> String {
        let lower = head.lowercased()
        if let field = lower.range(of: "content-length: ") {
            let length = Int(lower[field.upperBound...].prefix { $0.isNumber }) ?? 0
            return try self.read(count: length)
        }
        guard lower.contains("transfer-encoding: chunked") else { return "" }
        var body = ""
        while true {
            let size = Int(try self.read(until: "\r\n").dropLast(1).description, radix: 16) ?? 0
            if size == 0 { break }
            body += try self.read(count: size)
            _ = try self.read(until: "\r\n")
        }
        while try self.read(until: "\r\n") != "\r\n" {}
        return body
    }

    private static var noSignal: Int32 {
        #if os(Linux)
            Int32(MSG_NOSIGNAL)
        #else
            0
        #endif
    }
}

extension ScriptSocket {
    /// Waits until the peer has closed or reset the connection, without reading.
    func waitForHangUp() throws {
        var waiting = pollfd(fd: self.descriptor, events: Self.hangUp, revents: 0)
        guard poll(&waiting, 1, 20_000) == 1 else { throw Failure(description: "nobody hung up") }
    }

    /// Waits until the peer's kernel has everything that was written.
    func waitUntilDelivered() throws {
        var left: Int32 = 1
        while left > 0 {
            guard ioctl(self.descriptor, UInt(TIOCOUTQ), &left) == 0 else {
                throw Failure(description: "ioctl: \(errno)")
            }
            if left > 0 { usleep(500) }
        }
    }

    private static var hangUp: Int16 {
        #if os(Linux)
            0x2000  // POLLRDHUP, which no module has.
        #else
            Int16(POLLHUP)
        #endif
    }
}

/// Sends a long body while its owner reads, for as long as it is taken.
final class Sending: Sendable {
    private let done = DispatchGroup()

    init(_ socket: ScriptSocket, _ count: Int) {
        self.done.enter()
        let done = self.done
        Thread.detachNewThread {
            let block = [UInt8](repeating: 0x62, count: 65_536)
            var left = count
            while left > 0 {
                let step = min(left, block.count)
                guard (try? socket.write(Array(block[..<step]))) != nil else { break }
                left -= step
            }
            done.leave()
        }
    }

    /// Ends the socket's sending side, and waits until nobody uses it.
    func finish(_ socket: ScriptSocket) {
        socket.finishWriting()
        self.done.wait()
    }
}
