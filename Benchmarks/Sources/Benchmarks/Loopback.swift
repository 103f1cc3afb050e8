import Foundation

/// The least HTTP that tells whether something answers, and what.
enum Loopback {
    struct Answer {
        var status: Int
        var body: String
    }

    /// A port that nobody listens on at this moment.
    static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var address = Self.address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
            }
        }
        guard result == 0 else { throw Failure("there is no free port on 127.0.0.1") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// Asks over a connection of its own; `nil` when nobody listens or the answer makes no sense.
    static func get(_ path: String = "/", host: String, port: Int) -> Answer? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = Self.address(port)
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard connected else { return nil }
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
        let deadline = now() + 15
        while now() < deadline {
            if Self.get(path, host: host, port: port)?.status == 200 { return }
            if let exit = processes.exit(of: child) {
                throw Failure("\(child.name) ended with \(exit.status):\n\(child.output.suffix(2_000))")
            }
            usleep(5_000)
        }
        throw Failure("\(child.name) does not answer at 127.0.0.1:\(port)\(path):\n\(child.output.suffix(2_000))")
    }

    private static func address(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr = in_addr(s_addr: UInt32(0x7f00_0001).bigEndian)
        return address
    }
}
