import Foundation
import SlugStoreTesting
import SystemPackage

@testable import SlugStore

/// Images made layer by layer, for what no honest tool would write.
struct HandmadeImage {
    struct Layer {
        /// The tar archive.
        var archive: [UInt8]
        var compression = Compressed.plain
        /// What the manifest says; by the compression if `nil`.
        var mediaType: String?
        /// What the configuration says; the truth if `nil`.
        var contentDigest: String?
    }

    var layers: [Layer] = []
    var process = ImageConfiguration.Process()
    var mediaType = ImageMediaType.manifest
    var platform = ImagePlatform.current

    /// Adds a layer that is what `make` puts into it.
    mutating func add(_ compression: Compressed = .plain, make: (inout HandmadeTar) -> Void) {
        var tar = HandmadeTar()
        make(&tar)
        self.layers.append(Layer(archive: tar.archive, compression: compression))
    }

    /// Writes the image into a layout.
    @discardableResult
    func write(to directory: FilePath, named name: String = "latest") async throws -> ImageLayout {
        let layout = ImageLayout(directory: directory)
        try layout.prepare()
        var (descriptors, digests): ([ImageDescriptor], [String]) = ([], [])
        for layer in self.layers {
            let bytes = layer.compression == .plain ? layer.archive : try layer.compression.pack(layer.archive)
            let suffix =
                switch layer.compression {
                case .plain: ""
                case .gzip: "+gzip"
                case .zstd: "+zstd"
                }
            let descriptor = ImageDescriptor(
                mediaType: layer.mediaType ?? "application/vnd.oci.image.layer.v1.tar\(suffix)",
                digest: "sha256:\(ChunkID(of: bytes))", size: Int64(bytes.count))
            try layout.path(of: descriptor).write(bytes)
            descriptors.append(descriptor)
            digests.append(layer.contentDigest ?? "sha256:\(ChunkID(of: layer.archive))")
        }
        let configuration = ImageConfiguration(
            architecture: self.platform.architecture, os: self.platform.os, config: self.process,
            rootfs: .init(layers: digests))
        let config = try layout.store(configuration, ImageMediaType.config)
        let manifest = try layout.store(
            ImageManifest(mediaType: self.mediaType, config: config, layers: descriptors), self.mediaType)
        try await layout.name(manifest, as: name)
        return layout
    }
}

extension ImageLayout {
    /// Imports the only image into a repository beside the layout.
    func imported(
        _ name: String? = nil, _ options: ImageImport = ImageImport(), in directory: FilePath
    ) async throws(SlugStoreError) -> (report: ImageImport.Report, repository: LocalSlugRepository) {
        let repository = makeRepository(directory.appending("imported"))
        let work = directory.appending("work")
        try? FileManager.default.createDirectory(atPath: work.string, withIntermediateDirectories: true)
        return (try await repository.importImage(name, from: self, options: options, workingIn: work), repository)
    }
}
