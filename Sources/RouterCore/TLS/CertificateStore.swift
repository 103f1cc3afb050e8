import NIOSSL
import Synchronization

/// The certificates of all hosts. Handshakes find theirs here, and the next one sees every change.
///
/// A host's certificate is the one set for exactly this name, else the one set for the wildcard one label above it,
/// else the default. Each change is one step: either all of it is seen or nothing. What is wrong with a certificate is
/// found when it is set, and changes nothing.
///
/// ```swift
/// let store = CertificateStore()
/// try store.set(TLSCertificate(chainFile: "/etc/tls/shop.pem", keyFile: "/etc/tls/shop.key"))
/// ```
public final class CertificateStore: Sendable {
    /// How TLS is spoken.
    public let settings: TLSSettings
    private let state = Mutex(State())

    /// A certificate in use.
    final class Entry: Sendable {
        let certificate: TLSCertificate
        /// The hosts it was set for, when not for all it names.
        let chosenHosts: [CertificateHost]?
        let context: NIOSSLContext

        init(_ certificate: TLSCertificate, chosenHosts: [CertificateHost]?, context: NIOSSLContext) {
            self.certificate = certificate
            self.chosenHosts = chosenHosts
            self.context = context
        }
    }

    struct State {
        var exact = KeyIndex<Entry>(.ignoringCase)
        /// By the name below which the wildcard is.
        var wildcards = KeyIndex<Entry>(.ignoringCase)
        /// All of both, for those who list them.
        var hosts: [CertificateHost: Entry] = [:]
        var fallback: Entry?
        var onMissing: (@Sendable (String) -> Void)?
    }

    /// Makes an empty store.
    public init(settings: TLSSettings = TLSSettings()) { self.settings = settings }

    // MARK: Changing

    /// Uses a certificate for its hosts from the next handshake on, instead of those they had.
    ///
    /// It prepares the certificate, which takes a part of a millisecond: do not call it on an event loop.
    ///
    /// - Parameters:
    ///   - certificate: the certificate; one that has ended is taken, too.
    ///   - hosts: the hosts to use it for, each of which it must cover; nil for all that it names.
    /// - Throws: ``TLSError``; the store is then as it was.
    public func set(_ certificate: TLSCertificate, hosts: [String]? = nil) throws(TLSError) {
        let chosen = try hosts.map { hosts throws(TLSError) in try Self.check(hosts, certificate) }
        let wanted = chosen ?? certificate.hosts.compactMap { CertificateHost($0) }
        guard !wanted.isEmpty else {
            throw TLSError(
                .noHosts,
                "The certificate '\(certificate.subject)' names no host in its subjectAltName, so no client would take "
                    + "it. Set it as the default if that is what it is.")
        }
        let entry = try self.prepare(certificate, chosenHosts: chosen)
        self.state.withLock { $0.set(entry, for: wanted) }
    }

    /// Uses a certificate for clients that name no host, and for hosts that have none when
    /// ``TLSSettings/unknownHost`` says so; nil for none.
    ///
    /// - Throws: ``TLSError``; the store is then as it was.
    public func setDefault(_ certificate: TLSCertificate?) throws(TLSError) {
        let entry = try certificate.map { certificate throws(TLSError) in
            try self.prepare(certificate, chosenHosts: nil)
        }
        self.state.withLock { $0.fallback = entry }
    }

    /// Takes the certificates of these hosts away. A wildcard is named as such: `*.example.com`.
    public func remove(hosts: [String]) {
        let hosts = hosts.compactMap { CertificateHost($0) }
        self.state.withLock { state in
            for host in hosts { state.set(nil, for: host) }
        }
    }

    /// Calls back when a client names a host that has no certificate, whatever that client is answered.
    ///
    /// - Parameter handler: gets the host, in lower case. It runs inside the handshake on an event loop: it must only
    ///   note the host, and bound what it notes, because anybody can name any host. Nil to stop.
    public func onMissingHost(_ handler: (@Sendable (String) -> Void)?) {
        self.state.withLock { $0.onMissing = handler }
    }

    /// Whether somebody is told about hosts that have no certificate.
    var reportsMissingHosts: Bool { self.state.withLock { $0.onMissing != nil } }

    // MARK: Looking

    /// The certificate that a client gets that asks for this host; the default only if it is what it would get.
    public func certificate(host: String) -> TLSCertificate? {
        let host = CertificateHost(host)
        return self.state.withLock { $0.find(host, settings: self.settings) }?.certificate
    }

    /// The default certificate.
    public var defaultCertificate: TLSCertificate? { self.state.withLock { $0.fallback?.certificate } }

    /// The hosts that have a certificate of their own, each with it.
    public var certificates: [String: TLSCertificate] {
        self.state.withLock { state in
            Dictionary(uniqueKeysWithValues: state.hosts.map { ($0.key.text, $0.value.certificate) })
        }
    }

    /// What a handshake uses. The lock is held for a look-up by hash, never while anything is prepared.
    func context(host: CertificateHost?) -> NIOSSLContext? {
        let (entry, onMissing) = self.state.withLock { state in
            let isMissing = host.map { state.own($0) == nil } ?? false
            return (state.find(host, settings: self.settings), isMissing ? state.onMissing : nil)
        }
        if let onMissing, let host { onMissing(host.text) }
        return entry?.context
    }

    // MARK: Parts

    private func prepare(_ certificate: TLSCertificate, chosenHosts: [CertificateHost]?) throws(TLSError) -> Entry {
        Entry(certificate, chosenHosts: chosenHosts, context: try self.settings.makeContext(for: certificate))
    }

    private static func check(_ hosts: [String], _ certificate: TLSCertificate) throws(TLSError) -> [CertificateHost] {
        var checked: [CertificateHost] = []
        for name in hosts {
            guard let host = CertificateHost(name) else {
                throw TLSError(
                    .invalidHost,
                    "'\(name.printable)' is not a host. Give a name like www.example.com, or *.example.com for all "
                        + "names one label below one.")
            }
            guard certificate.covers(host: host.text) else {
                throw TLSError(
                    .hostNotCovered,
                    "The certificate is not for '\(host.text)', so no client would take it: it is for "
                        + "\(certificate.hosts.isEmpty ? "no host" : certificate.hosts.joined(separator: ", ")).")
            }
            checked.append(host)
        }
        return checked
    }

    /// The certificates that came from files, each once.
    var entriesFromFiles: [Entry] {
        self.state.withLock { state in
            var seen = Set<ObjectIdentifier>()
            return (Array(state.hosts.values) + [state.fallback].compactMap(\.self)).filter {
                $0.certificate.files != nil && seen.insert(ObjectIdentifier($0)).inserted
            }
        }
    }

    /// Puts the certificate that was read anew where the old one still is.
    func replace(_ old: Entry, by certificate: TLSCertificate) throws(TLSError) {
        if let chosen = old.chosenHosts { _ = try Self.check(chosen.map(\.text), certificate) }
        // The same certificate in files that were written again keeps its context, and so its clients' sessions.
        let context =
            certificate == old.certificate ? old.context : try self.settings.makeContext(for: certificate)
        let entry = Entry(certificate, chosenHosts: old.chosenHosts, context: context)
        self.state.withLock { state in
            let held = state.hosts.filter { $0.value === old }.map(\.key)
            if !held.isEmpty {
                for host in held { state.set(nil, for: host) }
                let wanted = old.chosenHosts ?? certificate.hosts.compactMap { CertificateHost($0) }
                // Its new hosts are its own only if nobody else's certificate is set for them; those that were taken
                // from it in the meantime stay where they are.
                state.set(entry, for: wanted.filter { state.hosts[$0] == nil })
            }
            if state.fallback === old { state.fallback = entry }
        }
    }
}

extension CertificateStore.State {
    mutating func set(_ entry: CertificateStore.Entry, for hosts: [CertificateHost]) {
        for host in hosts { self.set(entry, for: host) }
    }

    mutating func set(_ entry: CertificateStore.Entry?, for host: CertificateHost) {
        self.hosts[host] = entry
        if host.isWildcard, let parent = host.parent {
            self.wildcards.set(String(parent), entry)
        } else {
            self.exact.set(host.text, entry)
        }
    }

    /// The certificate set for this host or for the wildcard above it.
    func own(_ host: CertificateHost) -> CertificateStore.Entry? {
        if let entry = self.exact.find(host.text) { return entry }
        if self.wildcards.count == 0 { return nil }
        return host.parent.flatMap { self.wildcards.find(String($0)) }
    }

    func find(_ host: CertificateHost?, settings: TLSSettings) -> CertificateStore.Entry? {
        guard let host else { return self.fallback }
        return self.own(host) ?? (settings.unknownHost == .defaultCertificate ? self.fallback : nil)
    }
}
