import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Applies the layers of one image, one on top of the other: asks a ``LayerTree`` what an entry may do, and does it.
struct LayerExtraction {
    let image: ResolvedImage
    let layout: ImageLayout
    let options: ImageImport
    /// The directory of the image that is wanted; `nil` for all of it.
    let root: TreePath?
    let cancellation: Cancellation

    /// Blocks.
    /// - Returns: What was extracted, and what is where.
    func run(into destination: FilePath) throws(SlugStoreError) -> (report: ArchiveReport, tree: ArchiveTree) {
        let compressions = try self.check()
        let place = try Destination(destination)
        do throws(SlugStoreError) {
            let result = try self.extract(compressions, into: place.directory)
            try place.publish(nil)
            return result
        } catch {
            place.discard()
            throw error
        }
    }

    /// Refuses what can be refused before anything is read.
    private func check() throws(SlugStoreError) -> [ArchiveCompression] {
        func tooMuch(_ what: String) -> SlugStoreError {
            SlugStoreError(code: .limitExceeded, message: "The image \(self.image.descriptor.digest) \(what).")
        }
        guard self.image.layers.count <= self.options.maxLayers else {
            throw tooMuch("has \(self.image.layers.count) layers; the limit is \(self.options.maxLayers)")
        }
        var rest = self.options.limits.maxArchiveBytes
        var compressions: [ArchiveCompression] = []
        for (number, layer) in self.image.layers.enumerated() {
            guard let compression = ImageMediaType.layers[layer.mediaType] else {
                throw SlugStoreError(
                    code: .unsupportedFormat,
                    message:
                        "\(self.place(number)) is of the kind \(printable(layer.mediaType.utf8.prefix(200))), which "
                        + "is not read. Expected: tar, tar+gzip or tar+zstd.")
            }
            guard layer.size >= 0, layer.size <= rest else {
                throw tooMuch(
                    "has layers of more than \(self.options.limits.maxArchiveBytes) bytes, which is the limit")
            }
            rest -= layer.size
            compressions.append(compression)
        }
        return compressions
    }

    private func place(_ number: Int) -> String {
        "Layer \(number + 1) of \(self.image.layers.count) (\(printable(self.image.layers[number].digest.utf8.prefix(19))))"
    }

    private func extract(
        _ compressions: [ArchiveCompression], into root: Descriptor
    ) throws(SlugStoreError) -> (report: ArchiveReport, tree: ArchiveTree) {
        var state = State(root: root, self)
        for (number, compression) in compressions.enumerated() {
            do throws(SlugStoreError) {
                try self.apply(self.image.layers[number], compression, number, &state)
            } catch {
                guard error.code != .cancelled else { throw error }
                var error = error
                error.message = "\(self.place(number)): \(error.message)"
                throw error
            }
        }
        do throws(SlugStoreError) {
            try state.tree.check(
                keepsOutwardLinks: self.options.keepsOutwardLinks, self.cancellation)
        } catch {
            guard error.code == .unsafeArchive else { throw error }
            var error = error
            error.message += " Such links can be kept as they are (keepsOutwardLinks)."
            throw error
        }
        return (try state.finish(), state.tree.tree)
    }

    /// What the layers have made so far.
    private struct State {
        let root: Descriptor
        var directories: DirectoryCursor
        var tree: LayerTree
        let writer: ArchiveEntryWriter
        var entries = 0
        var unpackedBytes: Int64 = 0
        var report = ArchiveReport()

        init(root: Descriptor, _ extraction: LayerExtraction) {
            self.root = root
            self.directories = DirectoryCursor(root: root)
            self.tree = LayerTree(root: extraction.root, limits: extraction.options.limits)
            self.writer = ArchiveEntryWriter(
                limits: extraction.options.limits, cancellation: extraction.cancellation)
        }

        mutating func remove(_ removals: [LayerTree.Removal]) throws(SlugStoreError) {
            guard !removals.isEmpty else { return }
            for removal in removals where !removal.isLink {
                try TreeRemover.remove(removal.path.name, in: try self.directories.directory(of: removal.path))
            }
            // It may hold on to a directory that is gone.
            self.directories = DirectoryCursor(root: self.root)
        }

        mutating func makeDirectories(of admission: ArchiveTree.Admission) throws(SlugStoreError) {
            for directory in admission.newDirectories {
                try self.directories.directory(of: directory).makeDirectory(
                    directory.name, mode: 0o755, "Making the directory \(directory)")
            }
        }

        /// Makes the links, which no write can follow any more, and counts what is there.
        mutating func finish() throws(SlugStoreError) -> ArchiveReport {
            self.report.bytes = self.writer.bytes
            for (path, node) in self.tree.tree.nodes.sorted(by: { TreePath.precedes($0.key, $1.key) }) {
                switch node {
                case .file: self.report.files += 1
                case .directory: self.report.directories += 1
                case .symbolicLink(let target):
                    try self.directories.directory(of: path).makeLink(
                        path.name, to: target, "Making the link \(path)")
                    self.report.links += 1
                }
            }
            return self.report
        }
    }

    // MARK: One layer

    private func apply(
        _ layer: ImageDescriptor, _ compression: ArchiveCompression, _ number: Int, _ state: inout State
    ) throws(SlugStoreError) {
        let file = try LayerFile(layer, in: self.layout)
        let source = ArchiveSource(limit: layer.size) { () throws(SlugStoreError) in try file.next() }
        guard try ArchiveCompression(source.peek(ArchiveFormat.headBytes)) == compression else {
            throw ArchiveTree.invalid("It is not compressed as its kind, \(layer.mediaType), says.")
        }
        // All layers together are no more than one archive may be.
        let tar = try TarSource(
            source, compression, limits: self.options.limits, earlierBytes: state.unpackedBytes, hashes: true)
        let reader = try TarReader(tar)
        state.tree.beginLayer()
        state.writer.beginArchive()
        var last: TreePath?
        while let entry = try reader.next(after: last) {
            try self.cancellation.check()
            state.entries += 1
            guard state.entries <= self.options.maxLayerEntries else {
                throw SlugStoreError(
                    code: .limitExceeded,
                    message:
                        "The image has layers of more than \(self.options.maxLayerEntries) entries, which is the limit."
                )
            }
            last = try self.take(entry, from: reader, &state) ?? last
        }
        try reader.finish()
        state.unpackedBytes += tar.unpackedBytes
        state.report.archiveBytes += layer.size
        try file.check()
        let expected = self.image.configuration.rootfs.layers[number]
        guard let digest = tar.digest, "sha256:\(digest)" == expected else {
            throw SlugStoreError(
                code: .corrupted,
                message:
                    "What it unpacks to is not what the image's configuration says (diff_id \(printable(expected.utf8.prefix(80))))."
            )
        }
    }

    private func take(
        _ entry: ArchiveEntry, from reader: TarReader, _ state: inout State
    ) throws(SlugStoreError) -> TreePath? {
        guard let full = try state.tree.tree.clean(Self.relative(entry.path)) else {
            guard case .directory = entry.kind else {
                throw ArchiveTree.invalid("The archive has an entry without a name.")
            }
            return nil
        }
        let step: LayerTree.Step
        switch try LayerEntry(full) {
        case .whiteout(let path):
            try Self.checkMarker(entry, full)
            step = try state.tree.whiteOut(path, isOpaque: false, marker: full)
        case .opaque(let directory):
            try Self.checkMarker(entry, full)
            step = try state.tree.whiteOut(directory, isOpaque: true, marker: full)
        case .entry(let path):
            guard let inside = state.tree.inside(path) else {
                step = try state.tree.step(outside: path, entry.kind)
                try state.writer.skip(entry, path, from: reader)
                break
            }
            let node = try self.node(entry, full, state.tree)
            step = try state.tree.step(inside, node.node)
            if case .add(let admission, let replaced) = step {
                try state.remove(replaced)
                try state.makeDirectories(of: admission)
                if let target = node.hardLink {
                    // What it replaces may have been above that.
                    _ = try state.tree.tree.hardLinkTarget(target, of: full.description)
                    try ArchiveExtraction.link(inside, to: target, from: state.directories, root: state.root)
                } else if node.node == .file {
                    try state.writer.write(
                        entry, to: inside, in: try state.directories.directory(of: inside), from: reader)
                }
            }
        }
        if case .remove(let removals) = step { try state.remove(removals) }
        return full
    }

    /// The builders of cloud native buildpacks, kaniko and others write the names of layers from the image's root.
    private static func relative(_ path: [UInt8]) -> [UInt8] { Array(path.drop { $0 == TreePath.slash }) }

    private static func checkMarker(_ entry: ArchiveEntry, _ path: TreePath) throws(SlugStoreError) {
        guard case .file = entry.kind, entry.bytes == 0 else {
            throw ArchiveTree.invalid("The archive has the whiteout \(path), which is not an empty file.")
        }
    }

    /// What an entry of the wanted directory is, if it may be that.
    private func node(
        _ entry: ArchiveEntry, _ path: TreePath, _ tree: LayerTree
    ) throws(SlugStoreError) -> (node: ArchiveTree.Node, hardLink: TreePath?) {
        switch entry.kind {
        case .other(let what): throw ArchiveTree.refused("The archive has \(path), which is \(what).")
        case .directory: return (.directory, nil)
        case .symbolicLink(let target): return (.symbolicLink(target: target), nil)
        case .hardLink(let rawTarget):
            guard entry.bytes == 0 else {
                throw ArchiveTree.refused("The archive has the hard link \(path) with content of its own.")
            }
            guard let target = try tree.tree.clean(Self.relative(rawTarget)) else {
                throw ArchiveTree.invalid("The hard link \(path) leads nowhere.")
            }
            guard let inside = tree.inside(target) else {
                throw ArchiveTree.refused("The hard link \(path) leads to \(target), which is not in what is imported.")
            }
            guard target != path else { throw ArchiveTree.refused("The hard link \(path) leads to itself.") }
            return (.file, try tree.tree.hardLinkTarget(inside, of: path.description))
        case .file:
            guard entry.permissions & (S_ISUID | S_ISGID) == 0 else {
                throw ArchiveTree.refused(
                    "The archive has \(path), which sets the user or group of whoever runs it.")
            }
            return (.file, nil)
        }
    }
}
