/// What the first message of a TLS client says, as far as it decides which certificate is used.
struct ClientHello: Equatable {
    /// The protocol by which an ACME authority proves that a host is ours (RFC 8737).
    static let challengeProtocol = "acme-tls/1"

    /// The host it wants (SNI); nil when it names none, or something that is no host.
    var host: CertificateHost?
    /// Whether it says which protocols it speaks (ALPN).
    var offersProtocols = false
    /// Whether HTTP in a form we speak over TLS is among them.
    var offersHTTP1 = false
    var offersHTTP2 = false
    /// Whether it speaks the protocol of a TLS-ALPN-01 challenge and nothing else, as an authority does. A client that
    /// would also take something else is never answered with a challenge's certificate.
    var isChallenge = false

    /// Parses the message without its header of four bytes; nil when it is malformed.
    init?(message: ArraySlice<UInt8>) {
        var reader = WireReader(message)
        // Version, random, session, cipher suites, compression methods.
        guard reader.skip(2 + 32), reader.vector(lengthBytes: 1) != nil, reader.vector(lengthBytes: 2) != nil,
            reader.vector(lengthBytes: 1) != nil
        else { return nil }
        if reader.isEmpty { return }
        guard let extensions = reader.vector(lengthBytes: 2), reader.isEmpty else { return nil }
        var list = WireReader(extensions)
        while !list.isEmpty {
            guard let type = list.integer(bytes: 2), let content = list.vector(lengthBytes: 2) else { return nil }
            switch type {
            case 0: guard self.readServerName(content) else { return nil }
            case 16: guard self.readProtocols(content) else { return nil }
            default: break
            }
        }
    }

    private mutating func readServerName(_ content: ArraySlice<UInt8>) -> Bool {
        var reader = WireReader(content)
        guard let names = reader.vector(lengthBytes: 2), reader.isEmpty, self.host == nil else { return false }
        var list = WireReader(names)
        while !list.isEmpty {
            guard let type = list.integer(bytes: 1), let name = list.vector(lengthBytes: 2) else { return false }
            if type == 0, self.host == nil { self.host = CertificateHost(bytes: name) }
        }
        return true
    }

    private mutating func readProtocols(_ content: ArraySlice<UInt8>) -> Bool {
        var reader = WireReader(content)
        guard let names = reader.vector(lengthBytes: 2), reader.isEmpty, !names.isEmpty, !self.offersProtocols else {
            return false
        }
        self.offersProtocols = true
        var list = WireReader(names)
        var count = 0
        while !list.isEmpty {
            guard let name = list.vector(lengthBytes: 1), !name.isEmpty else { return false }
            count += 1
            if name.elementsEqual("h2".utf8) { self.offersHTTP2 = true }
            if name.elementsEqual("http/1.1".utf8) || name.elementsEqual("http/1.0".utf8) { self.offersHTTP1 = true }
            if name.elementsEqual(Self.challengeProtocol.utf8) { self.isChallenge = true }
        }
        self.isChallenge = self.isChallenge && count == 1
        return true
    }
}

/// Takes integers and counted byte strings off the front of a message, never more than there is.
private struct WireReader {
    private var bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    var isEmpty: Bool { self.bytes.isEmpty }

    mutating func skip(_ count: Int) -> Bool {
        guard self.bytes.count >= count else { return false }
        self.bytes = self.bytes.dropFirst(count)
        return true
    }

    mutating func integer(bytes count: Int) -> Int? {
        guard self.bytes.count >= count else { return nil }
        defer { self.bytes = self.bytes.dropFirst(count) }
        return self.bytes.prefix(count).reduce(0) { $0 << 8 | Int($1) }
    }

    mutating func vector(lengthBytes: Int) -> ArraySlice<UInt8>? {
        guard let length = self.integer(bytes: lengthBytes), self.bytes.count >= length else { return nil }
        defer { self.bytes = self.bytes.dropFirst(length) }
        return self.bytes.prefix(length)
    }
}
