/// Which of the images that something lists is meant. Decides; reads nothing.
package enum ImageResolution {
    /// How often one list may lead to another.
    package static let maxDepth = 4

    /// The one image that fits.
    /// - Parameters:
    ///   - images: What is listed.
    ///   - platform: Where it is to run. What says nothing about that fits; so does any variant, unless one is asked for and
    ///     there.
    ///   - what: What lists them, for messages.
    /// - Throws: ``SlugStoreError/Code/notFound`` if none fits or several do, with what there is.
    package static func choose(
        among images: [ImageDescriptor], for platform: ImagePlatform, _ what: String
    ) throws(SlugStoreError) -> ImageDescriptor {
        let known = images.filter {
            ImageMediaType.manifests.contains($0.mediaType) || ImageMediaType.indexes.contains($0.mediaType)
        }
        var fitting = known.filter { image in
            image.platform.map { $0.architecture == platform.architecture && $0.os == platform.os } ?? true
        }
        if let variant = platform.variant, fitting.contains(where: { $0.platform?.variant == variant }) {
            fitting = fitting.filter { $0.platform?.variant == variant }
        }
        // One image may have several names.
        if let image = fitting.first, fitting.allSatisfy({ $0.digest == image.digest }) { return image }
        let there = Set(known.compactMap(\.platform).map { printable("\($0.os)/\($0.architecture)".utf8) }).sorted()
        throw SlugStoreError(
            code: .notFound,
            message:
                "\(what) has \(fitting.count) images for \(platform.os)/\(platform.architecture), and one is wanted"
                + (there.isEmpty ? "." : "; it has some for \(there.joined(separator: ", "))."))
    }
}

/// An image of a layout, with what is needed to use it.
struct ResolvedImage: Sendable {
    var descriptor: ImageDescriptor
    var layers: [ImageDescriptor]
    var configuration: ImageConfiguration
}

extension ImageLayout {
    /// Finds an image and reads its documents. Blocks.
    /// - Parameter name: What it is called; `nil` for the only one, or `latest` of several.
    func resolve(_ name: String?, for platform: ImagePlatform) throws(SlugStoreError) -> ResolvedImage {
        let images = try self.readIndex().manifests
        var wanted = name
        if wanted == nil, Set(images.map(\.digest)).count > 1,
            images.contains(where: { $0.annotations?[ImageAnnotation.name] == "latest" })
        {
            wanted = "latest"
        }
        let named = wanted.map { name in images.filter { $0.annotations?[ImageAnnotation.name] == name } } ?? images
        let what = "\(self.directory)\(wanted.map { ", of what is named \(printable($0.utf8)) there," } ?? "")"
        var image = try ImageResolution.choose(among: named, for: platform, what)
        for _ in 0..<ImageResolution.maxDepth where ImageMediaType.indexes.contains(image.mediaType) {
            let index = try ImageDocument.decode(
                ImageIndex.self, try self.readDocument(image), "The index \(image.digest)")
            image = try ImageResolution.choose(among: index.manifests, for: platform, "The index \(image.digest)")
        }
        guard ImageMediaType.manifests.contains(image.mediaType) else {
            throw SlugStoreError(
                code: .invalidArchive,
                message: "\(what) has lists of lists, more than \(ImageResolution.maxDepth) deep.")
        }
        let manifest = try ImageDocument.decode(
            ImageManifest.self, try self.readDocument(image), "The manifest \(image.digest)")
        let configuration = try ImageDocument.decode(
            ImageConfiguration.self, try self.readDocument(manifest.config),
            "The configuration of the image in \(self.directory)")
        guard configuration.rootfs.layers.count == manifest.layers.count else {
            throw SlugStoreError(
                code: .invalidArchive, message: "The image in \(self.directory) does not describe each of its layers.")
        }
        guard configuration.architecture == platform.architecture, configuration.os == platform.os else {
            throw SlugStoreError(
                code: .unsupportedFormat,
                message:
                    "The image in \(self.directory) is for \(printable(configuration.os.utf8))/"
                    + "\(printable(configuration.architecture.utf8)), not for \(platform.os)/\(platform.architecture).")
        }
        return ResolvedImage(descriptor: image, layers: manifest.layers, configuration: configuration)
    }
}
