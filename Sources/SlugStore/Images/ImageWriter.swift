import Crypto
import SystemPackage

/// Writes the images of one tree.
struct ImageWriter {
    let image: SlugImage
    let metadata: SlugMetadata
    let id: SlugID?
    let layout: ImageLayout
    let cancellation: Cancellation

    /// Where the application is in the image.
    static let directory = "app"
    /// What the image of the default process type is called.
    static let defaultName = "latest"
    private static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    private struct Layer {
        var descriptor: ImageDescriptor
        /// The digest of the layer without its compression.
        var contentDigest: String
        var comment: String
    }

    /// Writes everything but the images' names. Blocks.
    func write(
        _ tree: FilePath
    ) throws(SlugStoreError) -> (report: SlugImage.Report, images: [(manifest: ImageDescriptor, name: String)]) {
        guard self.metadata.processTypes[Self.defaultName] == nil else {
            throw SlugStoreError(
                code: .unsupportedEntry,
                message:
                    "The process type \(Self.defaultName) cannot be an image: the default process type's is called that. "
                    + "Give it another name.")
        }
        let base = try self.image.base.map { (base) throws(SlugStoreError) in try base.read(for: self.image.platform) }
        let root = try Descriptor.directory(at: tree)
        let entries = try TreeScanner.scan(root, limits: self.image.limits, cancellation: self.cancellation)
        if let entry = entries.first(where: { LayerEntry.isReserved($0.path.name) }) {
            throw SlugStoreError(
                code: .unsupportedEntry,
                message: "The name \(entry.path) cannot be in an image: names with .wh. in front say what of lower "
                    + "layers is gone. Rename it.")
        }
        try self.layout.prepare()
        var report = SlugImage.Report()
        for layer in base?.layers ?? [] {
            let source = try ImageLayout(directory: self.image.base?.layout ?? "").path(of: layer)
            if try self.layout.copy(layer, from: source, self.cancellation) { report.newLayers += 1 }
        }
        var layers: [Layer] = []
        func add(_ comment: String, _ entries: [TreeScanner.Entry], hidesBase: Bool = false) throws(SlugStoreError) {
            let tar = TarStream(
                root, entries, prefix: Array(Self.directory.utf8), hidesLowerLayers: hidesBase,
                maxBytes: self.image.limits.maxTreeBytes)
            let (layer, isNew) = try self.writeLayer(tar, comment)
            layers.append(layer)
            if isNew { report.newLayers += 1 }
        }
        // A layer of its own, so that the others are the same on every base.
        if base != nil { try add("nothing of the base in \(Self.directory)", [], hidesBase: true) }
        for part in LayerPlan(try self.sizes(of: entries, in: root), limit: self.image.maxDependencyLayers).layers {
            try add(
                part.directory.map { "\(Self.directory)/\($0)" } ?? "the application", part.entries.map { entries[$0] })
        }
        report.layers = (base?.layers ?? []) + layers.map(\.descriptor)
        let top = entries.filter { $0.path.parent == nil }.map { String(decoding: $0.path.bytes, as: UTF8.self) }
        let hasProfile = top.contains(".profile.d") || top.contains(".profile")

        var images: [(manifest: ImageDescriptor, name: String)] = []
        let types = self.metadata.processTypes.keys.sorted()
        let main = types.contains("web") ? "web" : types.first
        for type in types.isEmpty ? [nil] : types.map(Optional.some) {
            let configuration = try self.layout.store(
                self.configuration(of: type, base, layers, hasProfile: hasProfile), ImageMediaType.config)
            var manifest = try self.layout.store(
                ImageManifest(config: configuration, layers: report.layers, annotations: nil), ImageMediaType.manifest)
            manifest.platform = self.image.platform
            if type == main { images.insert((manifest, Self.defaultName), at: 0) }
            if let type { images.append((manifest, type)) }
        }
        report.images = Dictionary(images.map { ($0.name, $0.manifest) }) { first, _ in first }
        return (report, images)
    }

    private func sizes(
        of entries: [TreeScanner.Entry], in root: Descriptor
    ) throws(SlugStoreError) -> [LayerPlan.Entry] {
        let directories = DirectoryCursor(root: root)
        var sizes: [LayerPlan.Entry] = []
        sizes.reserveCapacity(entries.count)
        for entry in entries {
            var size = LayerPlan.Entry(path: entry.path, isDirectory: false, bytes: 0)
            switch entry.kind {
            case .directory: size.isDirectory = true
            case .symbolicLink: break
            case .file:
                size.bytes = try TreeFile(entry.path, in: try directories.directory(of: entry.path)).bytes
            }
            sizes.append(size)
        }
        return sizes
    }

    private func writeLayer(
        _ tar: TarStream, _ comment: String
    ) throws(SlugStoreError) -> (Layer, isNew: Bool) {
        var stream = CompressedTar(tar, try GzipCompressor(level: self.image.compressionLevel))
        let file = try NewFile(at: self.layout.blobs.appending("layer"))
        var (content, compressed) = (SHA256(), SHA256())
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = try stream.read(into: &buffer, self.cancellation) { content.update(bufferPointer: $0) }
            if count == 0 { break }
            compressed.update(data: buffer[..<count])
            try file.append(Array(buffer[..<count]))
        }
        let hex = hexadecimal(compressed.finalize())
        let descriptor = ImageDescriptor(mediaType: ImageMediaType.layer, digest: "sha256:\(hex)", size: file.bytes)
        let isNew = try !self.layout.has(descriptor, self.cancellation)
        if isNew { try file.publish(as: hex, isDurable: true) }
        return (
            Layer(
                descriptor: descriptor,
                contentDigest: "sha256:\(hexadecimal(content.finalize()))", comment: comment), isNew
        )
    }

    private func configuration(
        of type: String?, _ base: ResolvedImage?, _ layers: [Layer], hasProfile: Bool
    ) throws(SlugStoreError) -> ImageConfiguration {
        let below = base?.configuration
        var process = below?.config ?? ImageConfiguration.Process()
        let home = "/\(Self.directory)"
        process.user = self.image.user
        process.workingDirectory = home
        process.environment = self.environment(over: process.environment ?? [], home: home)
        process.labels = try self.labels(over: process.labels ?? [:], type)
        // Those of the base are for its own program.
        (process.command, process.stopSignal) = (nil, nil)
        process.entryPoint = type.flatMap { self.metadata.processTypes[$0] }.map { command in
            self.image.entryPoint.map { $0(command) }
                ?? ImageEntryPoint.arguments(for: command, in: home, hasProfile: hasProfile)
        }
        if type == "web" {
            process.exposedPorts = (process.exposedPorts ?? [:]).merging(["\(self.image.port)/tcp": [:]]) { $1 }
        }
        let steps = layers.map {
            ImageConfiguration.Step(created: ImageConfiguration.time, createdBy: "slipway", comment: $0.comment)
        }
        return ImageConfiguration(
            created: ImageConfiguration.time, architecture: self.image.platform.architecture,
            os: self.image.platform.os, variant: below?.variant ?? self.image.platform.variant, config: process,
            rootfs: ImageConfiguration.RootFileSystem(
                layers: (below?.rootfs.layers ?? []) + layers.map(\.contentDigest)),
            // A base without a history would leave its layers without steps, which is not allowed for some of the layers.
            history: below != nil && below?.history == nil ? nil : (below?.history ?? []) + steps)
    }

    private func environment(over base: [String], home: String) -> [String] {
        var own = self.image.environment.merging(["HOME": home]) { $1 }
        own["PORT"] = own["PORT"] ?? "\(self.image.port)"
        let names = base.map { String($0.prefix { $0 != "=" }) }
        if own["PATH"] == nil, !names.contains("PATH") { own["PATH"] = Self.defaultPath }
        let kept = zip(names, base).filter { own[$0.0] == nil }.map(\.1)
        return kept + own.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { "\($0.key)=\($0.value)" }
    }

    private func labels(over base: [String: String], _ type: String?) throws(SlugStoreError) -> [String: String] {
        var labels = base
        // A base that was an image of ours is not what this image is of.
        for label in [ImageLabel.slug, ImageLabel.metadata, ImageLabel.processType, ImageLabel.buildpacks] {
            labels[label] = nil
        }
        for (key, value) in self.metadata.labels
        where key.hasPrefix("org.opencontainers.image.") || key.hasPrefix("io.buildpacks.") {
            // It lists layers by their digests, to be replaced or used again, and these are other layers.
            if key != "io.buildpacks.lifecycle.metadata" { labels[key] = value }
        }
        if let commit = self.metadata.labels["commit"] { labels["org.opencontainers.image.revision"] = commit }
        if let id { labels[ImageLabel.slug] = "\(id)" }
        if let type { labels[ImageLabel.processType] = type }
        if !self.metadata.buildpacks.isEmpty {
            labels[ImageLabel.buildpacks] = self.metadata.buildpacks.joined(separator: ",")
        }
        if self.image.carriesMetadata {
            labels[ImageLabel.metadata] = String(
                decoding: try ImageDocument.encode(self.metadata), as: UTF8.self)
        }
        return labels.merging(self.image.labels) { $1 }
    }
}
