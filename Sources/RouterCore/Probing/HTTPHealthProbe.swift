import NIOCore

/// Sends an instance an HTTP/1.1 request over a connection of its own, and looks at the answer.
public struct HTTPHealthProbe: ConnectingProbe {
    /// The path, with a query if need be.
    public var path: String
    /// The `Host` field; nil for the instance's address, or `localhost` at a Unix socket.
    public var host: String?
    /// More fields: none. `Connection: close` and `User-Agent` are sent in any case.
    public var fields: [String: String] = [:]
    /// Which statuses are right: 200 to 399.
    public var accepts: [ClosedRange<Int>] = [200...399]
    /// What the body must begin with: anything.
    public var bodyPrefix = ""
    /// How much of the answer is read at most, in bytes: 64 KiB. What is looked for must be found within that.
    public var maxBytes = 65_536

    /// Makes one.
    public init(path: String = "/") { self.path = path }

    /// Asks, and looks at the answer as far as needed. A ``HealthMonitor`` has its probes share a thread; called by
    /// somebody else, it makes one for itself.
    public func check(_ backend: Backend) async -> HealthReport { await self.checkAlone(backend) }

    func check(_ backend: Backend, on threads: ProbeThreads) async -> HealthReport {
        await ProbeConnection.ask(backend.address, (self.request(to: backend.address), ProbeAnswer(self)), on: threads)
    }

    /// Refuses what would make the request malformed, or no answer right.
    public func validate() throws(RouterError) {
        guard self.path.utf8.first == UInt8(ascii: "/"), self.path.utf8.count <= 4096,
            self.path.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw .probe("'\(self.path)' is not a path.") }
        let values = Array(self.fields) + [(key: "Host", value: self.host ?? "")]
        for (name, value) in values {
            guard !name.isEmpty, name.utf8.allSatisfy(ByteClass.isToken), value.utf8.count <= 4096,
                value.utf8.allSatisfy(ByteClass.isFieldValue)
            else { throw .probe("'\(name)' is not a field, or its value is malformed.") }
            guard !["connection", "content-length", "transfer-encoding"].contains(name.lowercased()) else {
                throw .probe("The field '\(name)' is the probe's own.")
            }
        }
        guard !self.accepts.isEmpty else { throw .probe("No status is right.") }
        guard self.maxBytes >= 1024, self.bodyPrefix.utf8.count < self.maxBytes else {
            throw .probe("Its limit is below 1 KiB, or below what the body must begin with.")
        }
    }

    func request(to address: BackendAddress) -> ByteBuffer {
        let host: String
        switch address {
        case .ip: host = self.host ?? address.description
        case .unix: host = self.host ?? "localhost"
        }
        var fields = self.fields.filter { $0.key.lowercased() != "host" }
        if !fields.keys.contains(where: { $0.lowercased() == "user-agent" }) { fields["User-Agent"] = "slipway-probe" }
        let lines = fields.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\r\n" }.joined()
        return ByteBuffer(string: "GET \(self.path) HTTP/1.1\r\nHost: \(host)\r\n\(lines)Connection: close\r\n\r\n")
    }
}
