import Foundation
import Logging
import RouterCore

/// A router whose routes change all the time, and a client that looks whether its very next request sees each change.
///
/// The routes are one that is asked for under load, one that changes before the client's eyes, and as many others as
/// are wanted. What the first one changes is its instance, so that a load which is answered without an error says that
/// no request was lost by it.
@main
struct RouteChanges {
    static let usage = "usage: route-changes LISTENING-PORT ORIGIN-PORT HOSTS SECONDS"

    /// What came of it, as JSON on standard output.
    struct Summary: Codable {
        var changes = 0
        /// Requests after a change that saw what was before it.
        var stale = 0
        /// Of a change's call, after which every request sees it; in microseconds.
        var p50 = 0.0
        var p99 = 0.0
    }

    static func main() async throws {
        let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        guard numbers.count == 4 else {
            FileHandle.standardError.write(Data((self.usage + "\n").utf8))
            exit(64)
        }
        var configuration = Router.Configuration()
        configuration.listeners = [Router.Listener(host: "127.0.0.1", port: numbers[0])]
        configuration.maxConnectionsPerAddress = 1000
        let router = Router(configuration: configuration, logger: Logger(label: "route-changes"))
        let change = RouteChange(router: router, origin: numbers[1])
        for index in 0..<numbers[2] { try change.setRoute("host-\(index).localhost") }
        try change.setRoute("bench.localhost")
        try change.setRoute("changing.localhost")
        let running = Task { try await router.run() }
        _ = try await router.listening()
        let summary = try change.repeatedly(on: numbers[0], seconds: Double(numbers[3]))
        running.cancel()
        _ = try? await running.value
        FileHandle.standardOutput.write(try JSONEncoder().encode(summary))
    }
}

/// Changes that are made and looked at.
struct RouteChange {
    let router: Router
    let origin: Int

    /// One change every millisecond. Blocks its thread: nothing else is to do there.
    func repeatedly(on port: Int, seconds: Double) throws -> RouteChanges.Summary {
        let client = try KeptConnection(port: port)
        var times: [Double] = []
        var summary = RouteChanges.Summary()
        let end = self.now() + seconds
        while self.now() < end {
            summary.changes += 1
            let isOut = !summary.changes.isMultiple(of: 2)
            let before = self.now()
            try self.setRoute("changing.localhost", mode: isOut ? .maintenance(html: nil) : .serving)
            times.append((self.now() - before) * 1e6)
            let status = try client.get("/13B", host: "changing.localhost")
            if status != (isOut ? 503 : 200) { summary.stale += 1 }
            try self.setRoute("bench.localhost", version: summary.changes)
            usleep(1000)
        }
        times.sort()
        summary.p50 = times[times.count / 2]
        summary.p99 = times[times.count * 99 / 100]
        return summary
    }

    /// - Parameter version: another one is another instance.
    func setRoute(_ host: String, version: Int = 0, mode: ApplicationRoute.Mode = .serving) throws {
        let instance = Backend(id: BackendID("\(host)#\(version)"), address: .ip(host: "127.0.0.1", port: self.origin))
        try self.router.setRoute(ApplicationRoute(application: host, hosts: [host], backends: [instance], mode: mode))
    }

    private func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// A connection over which one request is made after the other.
struct KeptConnection {
    private let descriptor: Int32

    init(port: Int) throws {
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr = in_addr(s_addr: UInt32(0x7f00_0001).bigEndian)
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(self.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { throw POSIXError(.ECONNREFUSED) }
    }

    /// The answer's status. Its body is short, and whole once the number of bytes is there that its head names.
    func get(_ path: String, host: String) throws -> Int {
        let request = "GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n"
        guard send(self.descriptor, request, request.utf8.count, Int32(MSG_NOSIGNAL)) == request.utf8.count else {
            throw POSIXError(.EPIPE)
        }
        var text = ""
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = recv(self.descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { throw POSIXError(.ECONNRESET) }
            text += String(decoding: buffer[..<count], as: UTF8.self)
            guard let head = text.range(of: "\r\n\r\n"),
                let length = text[..<head.lowerBound].split(separator: "\r\n")
                    .first(where: { $0.lowercased().hasPrefix("content-length:") })
                    .flatMap({ Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) })
            else { continue }
            if text[head.upperBound...].utf8.count >= length { break }
        }
        return Int(text.dropFirst(9).prefix(3)) ?? 0
    }
}
