/// One change to the fields of a response.
public struct ResponseFieldRule: Sendable, Hashable {
    enum Change: Sendable, Hashable { case set, add, remove }

    let change: Change
    let name: String
    let value: String

    /// Gives the field this value, whatever it had.
    ///
    /// - Throws: ``RouterError`` when the name or the value is malformed, or the router needs the field itself.
    public static func set(_ name: String, _ value: String) throws(RouterError) -> Self {
        try Self(.set, name, value)
    }

    /// Adds a line with this value to those the field has.
    ///
    /// - Throws: ``RouterError`` when the name or the value is malformed, or the router needs the field itself.
    public static func add(_ name: String, _ value: String) throws(RouterError) -> Self {
        try Self(.add, name, value)
    }

    /// Removes the field.
    ///
    /// - Throws: ``RouterError`` when the name is malformed, or the router needs the field itself.
    public static func remove(_ name: String) throws(RouterError) -> Self { try Self(.remove, name, "") }

    /// Fields that say where a message ends, or that this router answers for.
    private static let reserved: Set<String> = [
        "connection", "content-length", "date", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "x-request-id", "x-slipway-error",
    ]

    private init(_ change: Change, _ name: String, _ value: String) throws(RouterError) {
        guard (1...256).contains(name.utf8.count), name.utf8.allSatisfy(ByteClass.isToken) else {
            throw RouterError(.invalidRoute, "'\(name)' is not the name of a header field.")
        }
        guard !Self.reserved.contains(name.lowercased().replacingUnderscores) else {
            throw RouterError(.invalidRoute, "The router answers for the field '\(name)'; rules cannot change it.")
        }
        guard value.utf8.count <= 4096, value.utf8.allSatisfy(ByteClass.isFieldValue),
            value.utf8.first.map({ $0 > 0x20 }) ?? (change == .remove), value.utf8.last.map({ $0 > 0x20 }) ?? true
        else {
            throw RouterError(
                .invalidRoute,
                "The value for the field '\(name)' is empty, has more than 4,096 bytes or a control character, or "
                    + "starts or ends with a space.")
        }
        self.change = change
        self.name = name
        self.value = value
    }
}

extension String {
    /// Many readers cannot tell `Content_Length` from the real one.
    fileprivate var replacingUnderscores: String { String(self.map { $0 == "_" ? "-" : $0 }) }
}

/// All changes to an application's response fields, ready to be applied to a head as it is written.
struct ResponseRules: Sendable {
    private let removed: [[UInt8]]
    /// A bit for each length that a removed name has.
    private let lengths: UInt64
    private let plainLines: [UInt8]
    private let secureLines: [UInt8]

    /// Nil when there is nothing to change.
    init?(_ rules: [ResponseFieldRule], transportSecurity: StrictTransportSecurity?) {
        var removed: [[UInt8]] = []
        var lines: [(name: [UInt8], line: [UInt8])] = []
        for rule in rules {
            let name = rule.name.utf8.map(ByteClass.lowercased)
            if rule.change != .add {
                if !removed.contains(name) { removed.append(name) }
                lines.removeAll { $0.name == name }
            }
            if rule.change != .remove { lines.append((name, Array("\(rule.name): \(rule.value)\r\n".utf8))) }
        }
        if transportSecurity != nil {
            // Over a connection without TLS the field means nothing, and an instance's own is dropped as well.
            let name = Array("strict-transport-security".utf8)
            if !removed.contains(name) { removed.append(name) }
            lines.removeAll { $0.name == name }
        }
        if removed.isEmpty, lines.isEmpty { return nil }
        self.removed = removed
        self.lengths = removed.reduce(0) { $0 | 1 << UInt64($1.count & 63) }
        self.plainLines = lines.flatMap(\.line)
        self.secureLines = self.plainLines + (transportSecurity?.line ?? [])
    }

    /// Whether a field that the response came with is left out.
    func removes(_ name: UnsafeRawBufferPointer) -> Bool {
        guard self.lengths & (1 << UInt64(name.count & 63)) != 0 else { return false }
        return self.removed.contains { removed in
            removed.count == name.count && removed.indices.allSatisfy { ByteClass.lowercased(name[$0]) == removed[$0] }
        }
    }

    /// The lines to add, each with its end.
    func lines(isSecure: Bool) -> [UInt8] { isSecure ? self.secureLines : self.plainLines }
}
