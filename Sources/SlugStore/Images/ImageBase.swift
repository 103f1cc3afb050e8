public import SystemPackage

/// What an application's layers are put on: an image in a layout, for example one that `skopeo copy` has put there.
public struct ImageBase: Sendable, Hashable {
    /// The layout's directory.
    public var layout: FilePath
    /// The image's name in the layout; `nil` if there is only one.
    public var name: String?

    /// Names a base.
    public init(layout: FilePath, name: String? = nil) {
        self.layout = layout
        self.name = name
    }
}

extension ImageBase {
    struct Parts {
        var configuration: ImageConfiguration
        var layers: [ImageDescriptor]
    }

    /// Finds the image for a platform. Blocks.
    func read(for platform: ImagePlatform) throws(SlugStoreError) -> Parts {
        let layout = ImageLayout(directory: self.layout)
        let images = try layout.readIndex().manifests
        let named = self.name.map { name in images.filter { $0.annotations?[ImageAnnotation.name] == name } } ?? images
        let manifest = try self.manifest(among: named, for: platform, in: layout, depth: 0)
        let configuration = try ImageDocument.decode(
            ImageConfiguration.self, try layout.readDocument(manifest.config), "The configuration of \(self.layout)")
        guard configuration.rootfs.layers.count == manifest.layers.count else {
            throw SlugStoreError(
                code: .invalidArchive, message: "The image in \(self.layout) does not describe each of its layers.")
        }
        guard configuration.architecture == platform.architecture, configuration.os == platform.os else {
            throw SlugStoreError(
                code: .unsupportedFormat,
                message:
                    "The image in \(self.layout) is for \(configuration.os)/\(configuration.architecture), not for "
                    + "\(platform.os)/\(platform.architecture).")
        }
        return Parts(configuration: configuration, layers: manifest.layers)
    }

    private func manifest(
        among images: [ImageDescriptor], for platform: ImagePlatform, in layout: ImageLayout, depth: Int
    ) throws(SlugStoreError) -> ImageManifest {
        let fitting = images.filter { image in
            image.platform.map { $0.architecture == platform.architecture && $0.os == platform.os } ?? true
        }
        guard let image = fitting.first, fitting.count == 1, depth < 4 else {
            throw SlugStoreError(
                code: .notFound,
                message: "\(self.layout) has \(fitting.count) images \(self.name.map { "named \($0) " } ?? "")for "
                    + "\(platform.os)/\(platform.architecture), and one is wanted. Name it.")
        }
        let bytes = try layout.readDocument(image)
        guard image.mediaType == ImageMediaType.index else {
            return try ImageDocument.decode(ImageManifest.self, bytes, "The manifest \(image.digest)")
        }
        let index = try ImageDocument.decode(ImageIndex.self, bytes, "The index \(image.digest)")
        return try self.manifest(among: index.manifests, for: platform, in: layout, depth: depth + 1)
    }
}
