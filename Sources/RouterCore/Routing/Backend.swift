/// Names one instance as a target of requests, for as long as the router knows it.
public struct BackendID: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The name, as the caller chose it (`web.1@v12`).
    public var rawValue: String

    /// Names an instance.
    public init(_ rawValue: String) { self.rawValue = rawValue }

    /// Reads the name as a plain string.
    public init(from decoder: any Decoder) throws {
        self.rawValue = try decoder.singleValueContainer().decode(String.self)
    }

    /// Writes the name as a plain string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.rawValue)
    }

    /// The name.
    public var description: String { self.rawValue }
}

/// Where an instance listens.
public enum BackendAddress: Hashable, Sendable, LosslessStringConvertible {
    /// A TCP port. `host` is an IP address; a name is looked up for each connection.
    case ip(host: String, port: Int)
    /// A stream socket in the file system.
    case unix(path: String)

    /// The address as it is usually written.
    public var description: String {
        switch self {
        case .ip(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// Reads an address as it is usually written: `127.0.0.1:5000`, `[::1]:5000` or `unix:/run/shop/web.1.sock`.
    ///
    /// A host with colons needs its brackets, and no other host may have them. The port is 0 to 65,535; 0 makes sense
    /// for a listener only, and no route takes it.
    public init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = text.dropFirst(5)
            guard !path.isEmpty else { return nil }
            self = .unix(path: String(path))
            return
        }
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        // Alone, the number would be read with a sign, too.
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits) else { return nil }
        var host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = host.dropFirst().dropLast() }
        guard !host.isEmpty, host.contains(":") == isBracketed, !host.contains(where: { "[]".contains($0) }) else {
            return nil
        }
        self = .ip(host: String(host), port: Int(port))
    }
}

/// One instance that an application's requests may go to.
public struct Backend: Hashable, Sendable {
    /// Its name, by which it is drained and reported.
    public var id: BackendID
    /// Where it listens.
    public var address: BackendAddress
    /// Its share of the requests relative to the other instances, at least 1.
    ///
    /// With equal weights the less busy of two instances is chosen. With different weights (a canary) the choice is
    /// by lot in these proportions, so that the share is kept even when nothing is busy.
    public var weight: Int
    /// How many requests it is given at once; nil for ``Router/Configuration/maxInFlightPerBackend``. Upgraded
    /// connections and event streams do not count.
    public var maxInFlight: Int?
    /// The release that it runs, for ``ApplicationRoute/releases``.
    public var release: String?

    /// Describes an instance.
    public init(
        id: BackendID, address: BackendAddress, weight: Int = 1, maxInFlight: Int? = nil, release: String? = nil
    ) {
        self.id = id
        self.address = address
        self.weight = weight
        self.maxInFlight = maxInFlight
        self.release = release
    }
}
