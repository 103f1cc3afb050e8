public import SystemPackage

/// Makes a container image of a slug, which any OCI runtime runs.
///
/// The application is in `/app`, on the layers of a base image or on nothing. Directories of dependencies are layers of their
/// own, so that a release which changes the application alone is one small new layer. Everything is deterministic: the same
/// slug on the same base is the same image, by digest (with the same version of zlib).
///
/// Every process type is an image of its own in the layout, named like the type; they differ in the command alone and share
/// all layers, so each costs about a kilobyte. A choice by argument or variable would need a launcher in the image, and with it a
/// shell; a name works with every tool there is. `latest` is the default process type's, `web` if there is one.
public struct SlugImage: Sendable {
    /// What the application's layers are put on. Default: nothing.
    public var base: ImageBase?
    /// Where the image can run. Default: what this program was compiled for, on Linux.
    public var platform = ImagePlatform.current
    /// Variables that the image sets, over those of its base. `HOME` and `PORT` are set in any case.
    public var environment: [String: String] = [:]
    /// Whether a label, `io.slipway.metadata`, carries all that the slug says about itself, other process types and labels included,
    /// so that the image can become the same slug again: see ``ImageImport``. Whoever can read the image can read it. Default: true.
    public var carriesMetadata = true
    /// More labels. Labels of the slug that begin with `org.opencontainers.image.` or `io.buildpacks.` are labels of the image, but
    /// for `io.buildpacks.lifecycle.metadata`, which describes the layers of another image.
    public var labels: [String: String] = [:]
    /// Who the processes run as: user and group, by number since the base need not know names. The application's files are
    /// root's. Default: `1000:1000`.
    public var user = "1000:1000"
    /// What `web` listens on unless `PORT` says otherwise. Default: 8080.
    public var port = 8080
    /// How hard layers are compressed, 1 to 9. Default: 6.
    public var compressionLevel = 6
    /// How many layers there are at most besides the application's. Default: 4.
    public var maxDependencyLayers = 4
    /// What the tree may be at most.
    public var limits = TreeLimits()
    /// The arguments that start a command. `nil`: a command that is nothing but words is executed as it is; another one, or one
    /// of an application with `.profile` or `.profile.d`, by `/bin/sh`, which the base has to have.
    public var entryPoint: (@Sendable (_ command: String) -> [String])?

    /// An image with the defaults.
    public init(base: ImageBase? = nil) { self.base = base }

    /// What was written.
    public struct Report: Sendable, Hashable {
        /// The images by name.
        public var images: [String: ImageDescriptor] = [:]
        /// The layers, those of the base first.
        public var layers: [ImageDescriptor] = []
        /// The layers that were not there before.
        public var newLayers = 0
    }

    /// Makes the images of a tree.
    /// - Parameters:
    ///   - tree: The root of the tree, which nobody writes to meanwhile.
    ///   - metadata: The process types and labels of the slug.
    ///   - id: The slug that it is, to be a label of the image.
    ///   - layout: Where the images go. What it has stays, but for images of the same names.
    /// - Throws: ``SlugStoreError/Code/unsupportedEntry`` for names that are not UTF-8 and for a process type `latest`,
    ///   ``SlugStoreError/Code/notFound`` and ``SlugStoreError/Code/unsupportedFormat`` if the base is none,
    ///   ``SlugStoreError/Code/noSpace``, ``SlugStoreError/Code/busy`` if others give names in the layout for too long, among
    ///   others. Layers that are complete stay; no image refers to them.
    public func write(
        _ tree: FilePath, metadata: SlugMetadata, id: SlugID? = nil, into layout: ImageLayout
    ) async throws(SlugStoreError) -> Report {
        let (report, images) = try await BlockingWork.run { cancellation throws(SlugStoreError) in
            try ImageWriter(image: self, metadata: metadata, id: id, layout: layout, cancellation: cancellation).write(
                tree)
        }
        try await layout.name(images)
        return report
    }
}

extension SlugRepository {
    /// Makes the images of a slug; see ``SlugImage``.
    /// - Throws: As ``materialise(_:)`` and ``SlugImage/write(_:metadata:id:into:)``.
    public func exportImage(
        _ id: SlugID, as image: SlugImage, into layout: ImageLayout
    ) async throws(SlugStoreError) -> SlugImage.Report {
        // In this order: what the summary says has been compared with the manifest when the tree was made.
        let tree = try await self.materialise(id)
        let metadata = try await self.summary(of: id).metadata
        return try await image.write(tree.path, metadata: metadata, id: id, into: layout)
    }
}
