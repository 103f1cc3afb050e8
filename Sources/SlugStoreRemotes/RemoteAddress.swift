public import SlugStore

/// The address of a remote as people write it:
/// `s3://BUCKET/PREFIX?region=eu-west-1`, `s3://BUCKET?region=us-east-1&endpoint=http://127.0.0.1:9000`,
/// `oci://REGISTRY/NAME`.
public struct RemoteAddress: Sendable, Hashable {
    /// What is at the address.
    public enum Kind: Sendable, Hashable {
        /// A bucket, of AWS unless there is an endpoint.
        case bucket(name: String, prefix: String, region: String, endpoint: RemoteEndpoint?, S3ObjectStore.Addressing?)
        /// A repository of a registry; in clear text only on this machine.
        case registry(RemoteEndpoint, repository: String)
    }

    /// What asks, for either kind.
    public struct Credentials: Sendable, Hashable {
        /// The user of a registry, or an access key's identifier.
        public var user: String
        /// The password, or the secret access key.
        public var password: String
        /// With access keys that last for a while only.
        public var sessionToken: String?

        /// Makes credentials.
        public init(user: String, password: String, sessionToken: String? = nil) {
            self.user = user
            self.password = password
            self.sessionToken = sessionToken
        }
    }

    /// What is there.
    public var kind: Kind
    /// When a put returns; `mode=write-back` in the address.
    public var mode = TieredSlugRepository.Mode.writeThrough

    /// Whether a text is meant to be the address of a remote rather than a path.
    public static func isAddress(_ text: String) -> Bool { text.hasPrefix("s3://") || text.hasPrefix("oci://") }

    /// Reads an address.
    /// - Throws: `SlugStoreError` with `SlugStoreError.Code.remoteRefused`, saying what is wrong with it.
    public init(_ text: String) throws(SlugStoreError) {
        func refuse(_ message: String) -> SlugStoreError {
            SlugStoreError(code: .remoteRefused, message: "\(text) is no address of a remote: \(message).")
        }
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var options: [String: String] = [:]
        for pair in parts.count > 1 ? parts[1].split(separator: "&") : [] {
            let pair = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, options.updateValue(String(pair[1]), forKey: String(pair[0])) == nil else {
                throw refuse("its options are NAME=VALUE, each once, with & between them")
            }
        }
        switch options.removeValue(forKey: "mode") {
        case nil, "write-through"?: self.mode = .writeThrough
        case "write-back"?: self.mode = .writeBack
        default: throw refuse("mode is write-through or write-back")
        }
        if parts[0].hasPrefix("s3://") {
            let place = parts[0].dropFirst(5).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard let region = options.removeValue(forKey: "region"), !region.isEmpty else {
                throw refuse("it lacks region=REGION, for example region=eu-west-1")
            }
            var endpoint: RemoteEndpoint?
            if let url = options.removeValue(forKey: "endpoint") {
                guard let parsed = RemoteEndpoint(url) else { throw refuse("\(url) is no URL of a server") }
                endpoint = parsed
            }
            let addressing: S3ObjectStore.Addressing?
            switch options.removeValue(forKey: "addressing") {
            case nil: addressing = nil
            case "path"?: addressing = .path
            case "virtual-host"?: addressing = .virtualHost
            default: throw refuse("addressing is path or virtual-host")
            }
            var prefix = place.count > 1 ? String(place[1]) : ""
            if !prefix.isEmpty, !prefix.hasSuffix("/") { prefix += "/" }
            self.kind = .bucket(
                name: String(place.first ?? ""), prefix: prefix, region: region, endpoint: endpoint, addressing)
        } else if parts[0].hasPrefix("oci://") {
            let place = parts[0].dropFirst(6).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard place.count == 2, let secure = RemoteEndpoint(authority: place[0], isSecure: true) else {
                throw refuse("it is not oci://REGISTRY/NAME")
            }
            let endpoint =
                secure.isLoopback ? RemoteEndpoint(isSecure: false, host: secure.host, port: secure.port) : secure
            self.kind = .registry(endpoint, repository: String(place[1]))
        } else {
            throw refuse("it begins with neither s3:// nor oci://")
        }
        if let unknown = options.keys.sorted().first { throw refuse("there is no option \(unknown)") }
    }

    /// The store at the address.
    /// - Throws: `SlugStoreError.Code.unauthorised` if there are no credentials for a bucket, and what the store's initialiser
    ///   throws.
    public func objectStore(
        credentials: Credentials?, transport: RemoteTransport
    ) throws(SlugStoreError) -> any ObjectStore {
        switch self.kind {
        case .bucket(let name, let prefix, let region, let endpoint, let addressing):
            guard let credentials else {
                throw SlugStoreError(
                    code: .unauthorised, message: "The bucket \(name) needs an access key, and none is configured.")
            }
            var configuration = S3ObjectStore.Configuration(
                bucket: name, region: region,
                credentials: .init(
                    accessKeyID: credentials.user, secretAccessKey: credentials.password,
                    sessionToken: credentials.sessionToken), endpoint: endpoint)
            configuration.prefix = prefix
            if let addressing { configuration.addressing = addressing }
            return try S3ObjectStore(configuration: configuration, transport: transport)
        case .registry(let endpoint, let repository):
            let client = try RegistryClient(
                configuration: .init(
                    endpoint: endpoint, repository: repository,
                    credentials: credentials.map { .init(user: $0.user, password: $0.password) }),
                transport: transport)
            // Packs have names that are never used twice.
            return RegistryObjectStore(client: client, immutablePrefixes: ["packs/"])
        }
    }
}
