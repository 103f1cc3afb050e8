public import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A directory with images as the OCI's image layout has them: `oci-layout`, `index.json`, and every content by its digest in
/// `blobs/sha256`. Made when something is stored in it, if its parent exists.
///
/// Contents may be stored and names given by many tasks and programs at the same time: whoever gives a name holds a lock on the
/// directory meanwhile (`flock`), so that nobody undoes what somebody else did. Programs that know nothing of the lock are not
/// kept out.
public struct ImageLayout: ImageStore {
    /// The directory.
    public let directory: FilePath
    /// For how long it is waited for others that give names.
    public let lockTimeout: Duration
    let clock: any Clock<Duration>

    /// A layout that is in a directory, or will be.
    /// - Parameters:
    ///   - directory: The directory; its parent exists.
    ///   - lockTimeout: For how long it is waited for others that give names, which takes them milliseconds.
    ///   - clock: What that is measured on.
    public init(
        directory: FilePath, lockTimeout: Duration = .seconds(10), clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.directory = directory
        self.lockTimeout = lockTimeout
        self.clock = clock
    }

    /// Where content is, if it is there.
    /// - Throws: ``SlugStoreError/Code/invalidArchive`` if its digest is not a SHA-256.
    public func path(of content: ImageDescriptor) throws(SlugStoreError) -> FilePath {
        guard let hex = content.hex else {
            throw SlugStoreError(
                code: .invalidArchive,
                message:
                    "The image refers to \(printable(content.digest.utf8.prefix(200))), which is not the digest of anything."
            )
        }
        return self.blobs.appending(hex)
    }

    /// The images by name.
    /// - Throws: ``SlugStoreError/Code/notFound`` if there is no layout; ``SlugStoreError/Code/invalidArchive``.
    public func images() async throws(SlugStoreError) -> [String: ImageDescriptor] {
        try await BlockingWork.run { (_) throws(SlugStoreError) in
            Dictionary(
                try self.readIndex().manifests.compactMap { image in
                    image.annotations?[ImageAnnotation.name].map { ($0, image) }
                }
            ) { first, _ in first }
        }
    }

    /// The image of that name.
    /// - Throws: ``SlugStoreError/Code/notFound``, with the names that there are.
    public func image(named name: String) async throws(SlugStoreError) -> ImageDescriptor {
        let images = try await self.images()
        guard let image = images[name] else {
            throw SlugStoreError(
                code: .notFound,
                message:
                    "\(self.directory) has no image \(name). It has: "
                    + "\(images.keys.sorted().map { printable($0.utf8) }.joined(separator: ", ")).")
        }
        return image
    }

    /// All that an image consists of: its layers, its configuration, and last its manifest.
    /// - Throws: ``SlugStoreError/Code/notFound`` or ``SlugStoreError/Code/inputOutput`` if there is no such manifest;
    ///   ``SlugStoreError/Code/invalidArchive`` if it gives sizes that cannot be, among others.
    public func contents(of image: ImageDescriptor) async throws(SlugStoreError) -> [ImageDescriptor] {
        try await BlockingWork.run { (_) throws(SlugStoreError) in
            let manifest = try ImageDocument.decode(
                ImageManifest.self, try self.readDocument(image), "The manifest \(image.digest)")
            let contents = manifest.layers + [manifest.config, image]
            var total: Int64 = 0
            for content in contents {
                let (sum, overflows) = total.addingReportingOverflow(content.size)
                guard content.size >= 0, !overflows else {
                    throw SlugStoreError(
                        code: .invalidArchive,
                        message: "The manifest \(image.digest) gives its contents sizes that cannot be.")
                }
                total = sum
            }
            return contents
        }
    }

    /// See ``ImageStore/contains(_:)``.
    public func contains(_ content: ImageDescriptor) async throws(SlugStoreError) -> Bool {
        try await BlockingWork.run { cancellation throws(SlugStoreError) in try self.has(content, cancellation) }
    }

    /// See ``ImageStore/add(_:from:progress:)``.
    public func add(
        _ content: ImageDescriptor, from file: FilePath, progress: (@Sendable (Int64) -> Void)?
    ) async throws(SlugStoreError) {
        try await BlockingWork.run { cancellation throws(SlugStoreError) in
            try self.prepare()
            try self.copy(content, from: file, cancellation)
        }
        progress?(content.size)
    }

    /// See ``ImageStore/name(_:as:)``.
    /// - Throws: ``SlugStoreError/Code/busy`` if another program holds the layout for too long, among others.
    public func name(_ manifest: ImageDescriptor, as name: String) async throws(SlugStoreError) {
        try await self.name([(manifest, name)])
    }
}
