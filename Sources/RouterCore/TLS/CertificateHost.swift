/// A host as certificates and clients name it: lower case, no final dot, a name or `*.` and a name.
struct CertificateHost: Hashable {
    /// The name in its one form.
    let text: String

    /// Checks a name. Nil when it cannot be one of a certificate; international names have to be in Punycode.
    init?(_ name: some StringProtocol) {
        var bytes = name.utf8.map(ByteClass.lowercased)
        if bytes.last == Self.dot { bytes.removeLast() }
        guard Self.isValid(bytes) else { return nil }
        self.text = String(decoding: bytes, as: UTF8.self)
    }

    /// Checks the name that a client sent.
    init?(bytes: some Collection<UInt8>) {
        var bytes = bytes.map(ByteClass.lowercased)
        if bytes.last == Self.dot { bytes.removeLast() }
        guard bytes.first != Self.star, Self.isValid(bytes) else { return nil }
        self.text = String(decoding: bytes, as: UTF8.self)
    }

    var isWildcard: Bool { self.text.utf8.first == Self.star }

    /// The name without its first label: what a wildcard stands before.
    var parent: Substring? {
        guard let dot = self.text.utf8.firstIndex(of: Self.dot) else { return nil }
        return self.text[self.text.utf8.index(after: dot)...]
    }

    /// The wildcard that covers it.
    var wildcard: String? { self.isWildcard ? nil : self.parent.map { "*.\($0)" } }

    private static let dot: UInt8 = 0x2E
    private static let star: UInt8 = 0x2A

    private static func isValid(_ bytes: [UInt8]) -> Bool {
        guard !bytes.isEmpty, bytes.count <= 253 else { return false }
        var labels = bytes.split(separator: self.dot, omittingEmptySubsequences: false)[...]
        if labels.first?.elementsEqual([self.star]) == true {
            labels = labels.dropFirst()
            guard !labels.isEmpty else { return false }
        }
        return labels.allSatisfy { label in
            (1...63).contains(label.count)
                && label.allSatisfy { ByteClass.isAlphanumeric($0) || $0 == 0x2D || $0 == 0x5F }
        }
    }
}
