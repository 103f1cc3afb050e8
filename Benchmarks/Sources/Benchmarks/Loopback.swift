import Foundation
import Glibc

/// The least HTTP that tells whether something answers, and what.
enum Loopback {
    struct Answer {
        var status: Int
        var body: String
    }

    /// A port that nobody listens on at this moment.
    static func freePort() throws -> Int {
        let listening = try Self.listen()
        close(listening.descriptor)
        return listening.port
    }

    /// A connection to a port; `nil` when nobody listens. Whoever asks closes it.
    static func connect(port: Int, seconds: Int = 5) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = Self.address(port)
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if isConnected { return descriptor }
        close(descriptor)
        return nil
    }

    /// A socket that accepts connections, and its port. Whoever asks closes it.
    static func listen() throws -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = Self.address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
            }
        }
        guard result == 0, Glibc.listen(descriptor, 1_024) == 0 else {
            close(descriptor)
            throw Failure("cannot listen on 127.0.0.1")
        }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }

    /// Asks over a connection of its own; `nil` when nobody listens or the answer makes no sense.
    static func get(_ path: String = "/", host: String, port: Int) -> Answer? {
        guard let descriptor = Self.connect(port: port) else { return nil }
        defer { close(descriptor) }
        let request = "GET \(path) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n"
        guard send(descriptor, request, request.utf8.count, Int32(MSG_NOSIGNAL)) == request.utf8.count else {
            return nil
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        let text = String(decoding: bytes, as: UTF8.self)
        let line = text.split(separator: "\r\n", maxSplits: 1).first?.split(separator: " ") ?? []
        guard line.count > 1, let status = Int(line[1]), let end = text.range(of: "\r\n\r\n") else { return nil }
        return Answer(status: status, body: String(text[end.upperBound...]))
    }

    /// Waits until a server answers 200.
    static func waitForAnswer(_ path: String = "/", host: String, port: Int, by child: Child, _ processes: Processes)
        throws
    {
        try self.wait(for: child, what: "answer at 127.0.0.1:\(port)\(path)", processes) {
            Self.get(path, host: host, port: port)?.status == 200
        }
    }

    /// Waits until somebody listens.
    static func waitForListener(port: Int, by child: Child, _ processes: Processes) throws {
        try self.wait(for: child, what: "listen at 127.0.0.1:\(port)", processes) {
            Self.connect(port: port).map { close($0) } != nil
        }
    }

    private static func wait(
        for child: Child, what: String, _ processes: Processes, until isThere: () -> Bool
    ) throws {
        let deadline = now() + 30
        while now() < deadline {
            if isThere() { return }
            if let exit = processes.exit(of: child) {
                throw Failure("\(child.name) ended with \(exit.status):\n\(child.output.suffix(2_000))")
            }
            usleep(5_000)
        }
        throw Failure("\(child.name) does not \(what):\n\(child.output.suffix(2_000))")
    }

    private static func address(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr = in_addr(s_addr: UInt32(0x7f00_0001).bigEndian)
        return address
    }
}
