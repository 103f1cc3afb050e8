public import SlugStore
public import SystemPackage

/// Images in a repository of an OCI registry, for others to run, and for this library to read back.
///
/// ```swift
/// let store = try ImageReference("oci://registry.example.org/shop").imageStore(credentials: mine, transport: transport)
/// _ = try await layout.copy("web", to: store, as: "v42")
/// ```
///
/// What the registry has is not sent again. A manifest goes after all that it refers to, and its tag after that, so that nobody
/// sees half of an image.
public struct RegistryImageStore: ImageStore {
    /// How a repository is used.
    public struct Configuration: Sendable, Hashable {
        /// The largest content that is sent or fetched in bytes. Default: 4 GiB.
        public var maxContentBytes: Int64 = 4 << 30
        /// What the contents of an image that is fetched may have together in bytes. Default: 8 GiB.
        public var maxImageBytes: Int64 = 8 << 30
        /// How many contents an image that is fetched may have. Default: 128.
        public var maxContents = 128
        /// How many contents are fetched at the same time. Default: 4.
        public var contentsAtOnce = 4
        /// Other repositories of the same registry, for example those of bases, that may have a layer already: it is then mounted
        /// from there, if the registry does that, and not sent. They are asked in this order, for each layer that is missing.
        public var mountableFrom: [String] = []

        /// The defaults.
        public init() {}
    }

    /// What the registry is spoken to with.
    public let client: RegistryClient
    /// How it is used.
    public let configuration: Configuration

    /// Makes a store. Nothing is asked for before the first call.
    /// - Parameters:
    ///   - client: What the registry is spoken to with.
    ///   - configuration: How it is used.
    public init(client: RegistryClient, configuration: Configuration = .init()) {
        self.client = client
        self.configuration = configuration
    }

    private static func isManifest(_ content: ImageDescriptor) -> Bool {
        ImageMediaType.manifests.contains(content.mediaType) || ImageMediaType.indexes.contains(content.mediaType)
    }

    func check(_ content: ImageDescriptor) throws(SlugStoreError) {
        // It becomes a part of a URL.
        guard SlugID(content.digest) != nil else {
            throw SlugStoreError(
                code: .invalidArchive,
                message:
                    "The image refers to \"\(printable(content.digest.utf8.prefix(80)))\", which is not the digest of anything."
            )
        }
        guard (0...self.configuration.maxContentBytes).contains(content.size) else {
            throw SlugStoreError(
                code: .limitExceeded,
                message: "\(content.digest) of an image has \(content.size) bytes; the limit is "
                    + "\(self.configuration.maxContentBytes) (maxContentBytes).")
        }
    }

    // MARK: Sending

    /// Whether the repository has the content.
    /// - Parameter content: A layer, a configuration or a manifest.
    public func contains(_ content: ImageDescriptor) async throws(SlugStoreError) -> Bool {
        try self.check(content)
        if Self.isManifest(content) { return try await self.client.hasManifest(content.digest) }
        return try await self.client.blobBytes(content.digest) == content.size
    }

    /// Stores content; see the promises of `ImageStore`.
    /// - Parameters:
    ///   - content: A layer, a configuration or a manifest.
    ///   - file: A file with exactly the content.
    ///   - progress: Is called now and then with how many of its bytes were sent so far, never twice at a time.
    /// - Throws: `SlugStoreError.Code.limitExceeded`, and what the registry's answers mean.
    public func add(
        _ content: ImageDescriptor, from file: FilePath, progress: (@Sendable (Int64) -> Void)?
    ) async throws(SlugStoreError) {
        try self.check(content)
        if Self.isManifest(content) {
            guard content.size <= ImageDocument.maxBytes else {
                throw SlugStoreError(
                    code: .limitExceeded,
                    message: "The manifest \(content.digest) has \(content.size) bytes; the limit is "
                        + "\(ImageDocument.maxBytes).")
            }
            let bytes = try await LocalFile(file).read(0..<content.size)
            try await self.client.putManifest(bytes, mediaType: content.mediaType, reference: content.digest)
            progress?(content.size)
            return
        }
        for repository in self.configuration.mountableFrom where repository != self.client.configuration.repository {
            if try await self.client.mountBlob(content.digest, from: repository) { return }
        }
        try await self.client.uploadBlob(content.digest, contentsOf: file, progress: progress)
    }

    /// Gives an image a tag.
    /// - Parameters:
    ///   - manifest: Has been added.
    ///   - name: The tag, which moves if it is there.
    /// - Throws: `SlugStoreError.Code.unsupportedEntry` if it cannot be a tag; `SlugStoreError.Code.notFound`.
    public func name(_ manifest: ImageDescriptor, as name: String) async throws(SlugStoreError) {
        guard ImageReference.isTag(name) else {
            throw SlugStoreError(
                code: .unsupportedEntry,
                message:
                    "\"\(name.prefix(140))\" cannot be a tag: use up to 128 letters, digits and ._-, and begin with "
                    + "none of .-")
        }
        try self.check(manifest)
        // A tag is given with the bytes of a manifest; the registry's own are the ones that it has checked.
        guard let stored = try await self.client.manifest(manifest.digest, accepting: [manifest.mediaType]) else {
            throw SlugStoreError(
                code: .notFound,
                message: "There is no manifest \(manifest.digest) in \(self.client.configuration.repository).")
        }
        try await self.client.putManifest(stored.bytes, mediaType: manifest.mediaType, reference: name)
    }
}
