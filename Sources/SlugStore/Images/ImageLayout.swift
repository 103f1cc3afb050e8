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
/// Layers and other contents may be stored by many tasks and programs at the same time. Of two that give names in one layout at
/// the same time, one may undo what the other did.
public struct ImageLayout: ImageStore {
    /// The directory.
    public let directory: FilePath

    /// A layout that is in a directory, or will be.
    public init(directory: FilePath) { self.directory = directory }

    /// Where content is, if it is there.
    /// - Throws: ``SlugStoreError/Code/invalidArchive`` if its digest is not a SHA-256.
    public func path(of content: ImageDescriptor) throws(SlugStoreError) -> FilePath {
        guard let hex = content.hex else {
            throw SlugStoreError(
                code: .invalidArchive,
                message: "The image refers to \(content.digest), which is not the digest of anything.")
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
                    "\(self.directory) has no image \(name). It has: \(images.keys.sorted().joined(separator: ", ")).")
        }
        return image
    }

    /// All that an image consists of: its layers, its configuration, and last its manifest.
    public func contents(of image: ImageDescriptor) async throws(SlugStoreError) -> [ImageDescriptor] {
        try await BlockingWork.run { (_) throws(SlugStoreError) in
            let manifest = try ImageDocument.decode(
                ImageManifest.self, try self.readDocument(image), "The manifest \(image.digest)")
            return manifest.layers + [manifest.config, image]
        }
    }

    /// See ``ImageStore/contains(_:)``.
    public func contains(_ content: ImageDescriptor) async throws(SlugStoreError) -> Bool {
        let path = try self.path(of: content)
        return try await BlockingWork.run { (_) throws(SlugStoreError) in try Self.has(path) }
    }

    /// See ``ImageStore/add(_:from:)``.
    public func add(_ content: ImageDescriptor, from file: FilePath) async throws(SlugStoreError) {
        try await BlockingWork.run { cancellation throws(SlugStoreError) in
            try self.prepare()
            try self.copy(content, from: file, cancellation)
        }
    }

    /// See ``ImageStore/name(_:as:)``.
    public func name(_ manifest: ImageDescriptor, as name: String) async throws(SlugStoreError) {
        try await BlockingWork.run { (_) throws(SlugStoreError) in try self.name([(manifest, name)]) }
    }
}
