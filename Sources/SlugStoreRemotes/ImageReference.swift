public import SlugStore

/// An image in a registry as people write it: `oci://REGISTRY/NAME`, `oci://REGISTRY/NAME:TAG`,
/// `oci://REGISTRY/NAME@sha256:DIGEST`.
///
/// A registry on this machine is spoken to in clear text, and any other over TLS, as with ``RemoteAddress``.
public struct ImageReference: Sendable, Hashable, CustomStringConvertible {
    /// The registry.
    public var endpoint: RemoteEndpoint
    /// The repository in it.
    public var repository: String
    /// The tag, if one is said.
    public var tag: String?
    /// The digest of the image, if one is said; it then counts, whatever the tag.
    public var digest: String?

    /// Reads a reference.
    /// - Parameter text: As above.
    /// - Throws: `SlugStoreError` with `SlugStoreError.Code.remoteRefused`, saying what is wrong with it.
    public init(_ text: String) throws(SlugStoreError) {
        func refuse(_ message: String) -> SlugStoreError {
            SlugStoreError(code: .remoteRefused, message: "\(text) is no reference to an image: \(message).")
        }
        guard text.hasPrefix("oci://") else { throw refuse("it does not begin with oci://") }
        let place = text.dropFirst(6).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard place.count == 2, let secure = RemoteEndpoint(authority: place[0], isSecure: true) else {
            throw refuse("it is not oci://REGISTRY/NAME:TAG")
        }
        self.endpoint =
            secure.isLoopback ? RemoteEndpoint(isSecure: false, host: secure.host, port: secure.port) : secure
        var name = place[1]
        if let at = name.firstIndex(of: "@") {
            let digest = String(name[name.index(after: at)...])
            guard SlugID(digest) != nil else { throw refuse("its digest is not sha256: and 64 hexadecimal digits") }
            self.digest = digest
            name = name[..<at]
        }
        // A colon before the last slash would be one of a port, which is behind us.
        if let colon = name.lastIndex(of: ":") {
            let tag = String(name[name.index(after: colon)...])
            guard Self.isTag(tag) else {
                throw refuse("a tag has up to 128 letters, digits and ._- and begins with none of .-")
            }
            self.tag = tag
            name = name[..<colon]
        }
        guard RegistryClient.isName(String(name)) else {
            throw refuse("\"\(name)\" cannot be the name of a repository, which has small letters, digits and ._-/")
        }
        self.repository = String(name)
    }

    /// Whether the specification lets it be a tag.
    static func isTag(_ tag: String) -> Bool {
        func isWord(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) || byte == 0x5f
        }
        guard let first = tag.utf8.first, tag.utf8.count <= 128 else { return false }
        return isWord(first) && tag.utf8.allSatisfy { isWord($0) || $0 == 0x2e || $0 == 0x2d }
    }

    /// What the registry is asked for: the digest, or the tag, or `latest`.
    public var name: String { self.digest ?? self.tag ?? "latest" }

    /// The reference without a scheme.
    public var description: String {
        "\(self.endpoint.authority)/\(self.repository)" + (self.digest.map { "@\($0)" } ?? ":\(self.name)")
    }

    /// The repository as a store of images.
    /// - Parameters:
    ///   - credentials: Who asks; `nil` for a registry that asks nobody.
    ///   - transport: What requests are sent with.
    ///   - configuration: How the store is used.
    /// - Throws: What the initialiser of ``RegistryClient`` throws.
    public func imageStore(
        credentials: RemoteAddress.Credentials?, transport: RemoteTransport,
        configuration: RegistryImageStore.Configuration = .init()
    ) throws(SlugStoreError) -> RegistryImageStore {
        RegistryImageStore(
            client: try RegistryClient(
                configuration: .init(
                    endpoint: self.endpoint, repository: self.repository,
                    credentials: credentials.map { .init(user: $0.user, password: $0.password) }),
                transport: transport), configuration: configuration)
    }
}
