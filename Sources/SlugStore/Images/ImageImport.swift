public import SystemPackage

/// Makes a slug of a container image.
///
/// The layers are applied in their order, with whiteouts and opaque directories, by the readers and within the limits of
/// ``ArchiveExtractor``: a path or link that leaves the tree, a device, a set-user-ID bit, a name twice, a bomb, damage are refused, each
/// with its layer and path. Layers may be plain, gzip or zstd; that they are what the manifest and the configuration say is
/// checked.
///
/// An image that ``SlugImage`` has made becomes the slug again that it was, with the same identifier. Of any other, the
/// configuration becomes metadata as far as that has a place for it:
/// - the command is the process type `web` (or, of an image by Cloud Native Buildpacks, each of its processes is one), in the image's working
///   directory if that is imported, and by its path in the slug if it is a file of it;
/// - labels are labels;
/// - variables, the working directory and the user are the labels `io.slipway.image.environment`,
///   `io.slipway.image.working-directory` and `io.slipway.image.user`, which start nothing by themselves.
public struct ImageImport: Sendable {
    /// Which image it is where there are several. Default: what this program was compiled for, on Linux.
    public var platform = ImagePlatform.current
    /// The directory of the image that becomes the slug, for example `/app`. What is elsewhere is read and left out, whatever it
    /// is. `nil`, the default, is the application's directory of an image that ``SlugImage`` has made, and otherwise everything.
    public var path: String?
    /// Whether links that lead out of what is imported are kept as they are: those to absolute paths, which mean the
    /// image's files in a container and the host's outside of one, and those that leave by `..`. The slugs of builds may have such.
    /// Default: no, they are refused.
    public var keepsOutwardLinks = false
    /// How much the layers may hold together.
    public var limits = ArchiveExtractor.Limits()
    /// How many layers there may be. Default: 127, which is what container runtimes take.
    public var maxLayers = 127
    /// Entries of all layers together, what is left out or removed again included. Default: 1,000,000.
    public var maxLayerEntries = 1_000_000

    /// An import with the defaults.
    public init(path: String? = nil) { self.path = path }

    /// What was imported.
    public struct Report: Sendable, Hashable {
        /// The slug.
        public var slug: SlugSummary
        /// The image, by its manifest.
        public var image: ImageDescriptor
        /// The slug that the image says it was made of. It is another one than ``slug`` if the image was changed since.
        public var origin: SlugID?
        /// What the layers held.
        public var contents: ArchiveReport
    }

    /// Extracts what is to be the slug. Blocks.
    func extract(
        _ name: String?, of layout: ImageLayout, into tree: FilePath, _ cancellation: Cancellation
    ) throws(SlugStoreError) -> (metadata: SlugMetadata, image: ImageDescriptor, origin: SlugID?, ArchiveReport) {
        let image = try layout.resolve(name, for: self.platform)
        let labels = image.configuration.config?.labels ?? [:]
        let root = try self.root(labels)
        let (report, contents) = try LayerExtraction(
            image: image, layout: layout, options: self, root: root, cancellation: cancellation
        ).run(into: tree)
        let metadata = try ImportedMetadata(image.configuration, root: root, contents: contents).metadata
        return (metadata, image.descriptor, labels[ImageLabel.slug].flatMap { SlugID($0) }, report)
    }

    private func root(_ labels: [String: String]) throws(SlugStoreError) -> TreePath? {
        guard let path else {
            return labels[ImageLabel.slug] != nil || labels[ImageLabel.metadata] != nil
                ? TreePath(unchecked: Array(ImageWriter.directory.utf8)) : nil
        }
        let components = path.utf8.split(separator: TreePath.slash).filter { !$0.elementsEqual([0x2e]) }
        guard !components.contains(where: { $0.elementsEqual([0x2e, 0x2e]) }), !path.utf8.contains(0) else {
            throw SlugStoreError(
                code: .notFound, message: "\(printable(path.utf8)) is no directory of an image: name one like /app.")
        }
        return components.isEmpty
            ? nil : TreePath(unchecked: Array(components.map(Array.init).joined(separator: [TreePath.slash])))
    }
}

extension SlugRepository {
    /// Stores an image of a layout as a slug; see ``ImageImport``. Nothing in it is trusted.
    /// - Parameters:
    ///   - name: What the image is called in the layout; `nil` for the only one, or `latest` of several.
    ///   - layout: Where it is.
    ///   - options: What of it is taken, and how much that may be.
    ///   - directory: Where the tree is unpacked to be stored; a new directory in it is made and removed.
    /// - Throws: ``SlugStoreError/Code/notFound`` if there is no such image, or it has no such directory;
    ///   ``SlugStoreError/Code/unsafeArchive``, ``SlugStoreError/Code/invalidArchive``, ``SlugStoreError/Code/corrupted``,
    ///   ``SlugStoreError/Code/unsupportedFormat`` and ``SlugStoreError/Code/limitExceeded`` if it cannot be one; and as
    ///   ``put(_:metadata:progress:)``.
    public func importImage(
        _ name: String? = nil, from layout: ImageLayout, options: ImageImport = ImageImport(),
        workingIn directory: FilePath
    ) async throws(SlugStoreError) -> ImageImport.Report {
        try await WorkingDirectory.with(in: directory) { tree throws(SlugStoreError) in
            let (metadata, image, origin, contents) = try await BlockingWork.run {
                cancellation throws(SlugStoreError) in
                try options.extract(name, of: layout, into: tree, cancellation)
            }
            return ImageImport.Report(
                slug: try await self.put(tree, metadata: metadata), image: image, origin: origin, contents: contents)
        }
    }
}
