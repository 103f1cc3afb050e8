import NIOSSL
public import SystemPackage

/// A certificate with its chain and its private key, parsed and checked: the key belongs to the certificate.
///
/// ```swift
/// let certificate = try TLSCertificate(chainFile: "/etc/tls/shop.pem", keyFile: "/etc/tls/shop.key")
/// try store.set(certificate)
/// ```
///
/// It never shows its key: not when it is printed, and not in an error. Whether it is valid today is not checked; see
/// ``notAfter``.
public struct TLSCertificate: Sendable {
    /// What a certificate may be.
    public struct Limits: Sendable, Hashable {
        /// How large an RSA key may be, in bits: 2,048 to 4,096. A smaller one can be broken; a larger one makes every
        /// handshake slow, which anybody may ask for.
        public var rsaBits = 2048...4096
        /// How many hosts it may name: 100, as many as Let's Encrypt's do.
        public var maxHosts = 100

        /// The defaults.
        public init() {}
    }

    /// The certificate, then those that lead to an authority that clients know.
    let chain: [NIOSSLCertificate]
    let key: NIOSSLPrivateKey
    /// Where it came from, when from files.
    let files: Files?
    /// What was allowed when it was made, which holds for what takes its place as well.
    let limits: Limits

    /// The hosts it is for, in lower case: names, and `*.` with a name for all names one label below it.
    public let hosts: [String]
    /// The first second at which it is valid, counted from 1970.
    public let notBefore: Int64
    /// The last second at which it is valid, counted from 1970.
    public let notAfter: Int64
    /// Whom it is about, such as `CN=shop.example.com`.
    public let subject: String
    /// Who issued it, such as `CN=R11,O=Let's Encrypt,C=US`.
    public let issuer: String

    /// Parses a certificate and its key from PEM.
    ///
    /// - Parameters:
    ///   - chain: the certificate itself first, then the intermediate ones.
    ///   - key: the private key, not encrypted: PKCS#8, or the older forms for RSA and EC.
    ///   - limits: how large its key may be, and how many hosts it may name. Besides RSA, keys for P-256, P-384, P-521 and
    ///     Ed25519 are taken.
    /// - Throws: ``TLSError`` that says what is wrong with which of them.
    public init(chain: [UInt8], key: [UInt8], limits: Limits = Limits()) throws(TLSError) {
        try self.init(chain: chain, key: key, files: nil, limits: limits)
    }

    /// Reads a certificate and its key from PEM files, which may be one and the same.
    ///
    /// - Parameters:
    ///   - chainFile: the certificate itself first, then the intermediate ones.
    ///   - keyFile: the private key, not encrypted.
    ///   - limits: how large its key may be, and how many hosts it may name.
    /// - Throws: ``TLSError`` that says which file cannot be used, and why.
    public init(chainFile: FilePath, keyFile: FilePath, limits: Limits = Limits()) throws(TLSError) {
        let (chain, chainStamp) = try FileStamp.read(chainFile)
        let (key, keyStamp) = try FileStamp.read(keyFile)
        try self.init(
            chain: chain, key: key,
            files: Files(chain: chainFile, key: keyFile, chainStamp: chainStamp, keyStamp: keyStamp), limits: limits)
    }

    private init(chain: [UInt8], key: [UInt8], files: Files?, limits: Limits) throws(TLSError) {
        let place = files.map { "'\($0.chain)'" } ?? "the certificate's PEM text"
        let keyPlace = files.map { "'\($0.key)'" } ?? "the key's PEM text"
        let certificates = try Self.parseChain(chain, in: place)
        let leaf = certificates[0]
        // Before the key is looked at: to check one takes the longer the larger it is.
        try Self.checkKind(of: leaf, limits, in: place)
        self.chain = certificates
        self.key = try Self.parseKey(key, in: keyPlace)
        self.files = files
        self.limits = limits
        self.hosts = try Self.hosts(of: leaf, limits, in: place)
        self.notBefore = Int64(leaf.notValidBefore)
        self.notAfter = Int64(leaf.notValidAfter)
        let names = (try? leaf.toDERBytes()).flatMap(CertificateNames.init(certificate:))
        self.subject = names?.subject ?? ""
        self.issuer = names?.issuer ?? ""
        try self.checkKey(keyPlace, place)
    }

    /// Whether clients take it for this host's: it is among ``hosts``, itself or by a wildcard.
    public func covers(host: String) -> Bool {
        guard let host = CertificateHost(host) else { return false }
        return self.hosts.contains(host.text) || host.wildcard.map { self.hosts.contains($0) } ?? false
    }
}

// MARK: Parsing

extension TLSCertificate {
    static func parseChain(_ bytes: [UInt8], in place: String) throws(TLSError) -> [NIOSSLCertificate] {
        let certificates: [NIOSSLCertificate]
        do {
            certificates = try NIOSSLCertificate.fromPEMBytes(bytes)
        } catch {
            throw TLSError(
                .malformedCertificate,
                "There is no usable certificate in \(place). It has to be PEM text: "
                    + "'-----BEGIN CERTIFICATE-----' and so on.", cause: error)
        }
        guard !certificates.isEmpty else {
            throw TLSError(.malformedCertificate, "There is no certificate in \(place).")
        }
        return certificates
    }

    private static func parseKey(_ bytes: [UInt8], in place: String) throws(TLSError) -> NIOSSLPrivateKey {
        // Asked before the library is, which would ask a person at the terminal for the pass phrase.
        guard !bytes.contains(text: "ENCRYPTED") else {
            throw TLSError(
                .malformedKey,
                "The private key in \(place) is encrypted. Decrypt it with 'openssl pkey', and protect the file by its "
                    + "permissions.")
        }
        do {
            return try NIOSSLPrivateKey(bytes: bytes, format: .pem)
        } catch {
            // The error underneath is left out: nothing that has seen the key is printed.
            throw TLSError(
                .malformedKey,
                "There is no usable private key in \(place). It has to be PEM text: '-----BEGIN PRIVATE KEY-----' "
                    + "and so on.")
        }
    }

    /// Names that are no hosts are left out, such as wildcards inside a label, which no client takes.
    private static func hosts(
        of leaf: NIOSSLCertificate, _ limits: Limits, in place: String
    ) throws(TLSError) -> [String] {
        let names = leaf._subjectAlternativeNames()
        guard names.count <= limits.maxHosts else {
            throw TLSError(
                .tooManyHosts,
                "The certificate in \(place) names \(names.count) hosts; at most \(limits.maxHosts) are taken. Divide them "
                    + "among several certificates.")
        }
        var hosts: [String] = []
        var known = Set<String>()
        for name in names where name.nameType == .dnsName {
            guard let host = CertificateHost(String(decoding: name.contents, as: UTF8.self)) else { continue }
            if known.insert(host.text).inserted { hosts.append(host.text) }
        }
        return hosts
    }

    private static func checkKind(
        of leaf: NIOSSLCertificate, _ limits: Limits, in place: String
    ) throws(TLSError) {
        let bytes = (try? leaf.extractPublicKey().toSPKIBytes()) ?? []
        let kind = CertificateKey(publicKey: bytes)
        switch kind {
        case .p256, .p384, .p521, .ed25519: return
        case .rsa(let bits) where limits.rsaBits.contains(bits): return
        case .rsa, .other:
            throw TLSError(
                .unsuitableKey,
                "The key of the certificate in \(place) is \(kind). Use one for P-256, P-384, P-521 or Ed25519, or RSA with "
                    + "\(limits.rsaBits.lowerBound) to \(limits.rsaBits.upperBound) bits: "
                    + "'openssl ecparam -genkey -name prime256v1'.")
        }
    }

    private func checkKey(_ keyPlace: String, _ place: String) throws(TLSError) {
        // The library compares them when both are put into a context, and offers no other way to ask.
        func matches(_ certificate: NIOSSLCertificate) -> Bool {
            let configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: [.certificate(certificate)], privateKey: .privateKey(self.key))
            return (try? TLSSettings.makeContext(configuration)) != nil
        }
        if matches(self.chain[0]) { return }
        let isMisplaced = self.chain.dropFirst().contains(where: matches)
        throw TLSError(
            .keyMismatch,
            "The private key in \(keyPlace) does not belong to the first certificate in \(place)"
                + (isMisplaced
                    ? ", but to a later one. The host's own certificate has to come first, then the intermediate ones."
                    : ". Was one of them renewed without the other?"))
    }
}

extension TLSCertificate: Equatable {
    /// Whether the chain and the key are the same, wherever they came from.
    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.chain == rhs.chain && lhs.key == rhs.key }
}

extension TLSCertificate: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Its hosts and its issuer.
    public var description: String {
        "certificate for \(self.hosts.isEmpty ? self.subject : self.hosts.joined(separator: ", ")) by \(self.issuer)"
    }

    /// The same as ``description``.
    public var debugDescription: String { self.description }

    /// Shows what may be seen, so that `dump` does not show the key.
    public var customMirror: Mirror {
        Mirror(self, children: ["hosts": self.hosts, "subject": self.subject, "issuer": self.issuer])
    }
}

extension [UInt8] {
    /// Whether the bytes hold the text.
    fileprivate func contains(text: String) -> Bool {
        let pattern = Array(text.utf8)
        guard self.count >= pattern.count else { return false }
        return (0...(self.count - pattern.count)).contains { self[$0..<($0 + pattern.count)].elementsEqual(pattern) }
    }
}

extension String {
    /// The text as one line of ASCII at most 100 characters long, for messages that quote what somebody else wrote.
    var printable: String {
        String(self.unicodeScalars.prefix(100).map { $0.value >= 0x20 && $0.value < 0x7F ? Character($0) : "?" })
    }
}
