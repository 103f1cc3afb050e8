import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// One extraction: asks an ``ArchiveTree`` what an entry may be and writes it.
struct ArchiveExtraction {
    let extractor: ArchiveExtractor
    let source: ArchiveSource.Next
    /// What the source reads, if that is a file.
    let file: Descriptor?
    let cancellation: Cancellation

    private var limits: ArchiveExtractor.Limits { self.extractor.limits }

    /// Blocks.
    func run(into destination: FilePath) throws(SlugStoreError) -> ArchiveReport {
        let place = try Destination(destination)
        do throws(SlugStoreError) {
            let (report, stripped) = try self.extract(into: place)
            try place.publish(stripped)
            return report
        } catch {
            place.discard()
            throw error
        }
    }

    private func extract(
        into place: Destination
    ) throws(SlugStoreError) -> (report: ArchiveReport, stripped: TreePath?) {
        let root = place.directory
        let reader = try self.reader(place)
        let directories = DirectoryCursor(root: root)
        var tree = ArchiveTree(limits: self.limits)
        var report = ArchiveReport()
        var links: [(path: TreePath, target: [UInt8])] = []
        let writer = ArchiveEntryWriter(limits: self.limits, cancellation: self.cancellation)
        var last: TreePath?
        while let entry = try reader.next(after: last) {
            try self.cancellation.check()
            guard let admission = try self.admit(entry, to: &tree) else { continue }
            let path = admission.path
            last = path
            for directory in admission.newDirectories {
                try directories.directory(of: directory).makeDirectory(
                    directory.name, mode: 0o755, "Making the directory \(directory)")
                report.directories += 1
            }
            switch entry.kind {
            case .directory, .other:
                break
            case .symbolicLink(let target):
                // Not yet: while files are written, there is no link that a write could follow.
                links.append((path, target))
                report.links += 1
            case .hardLink(let target):
                let target = try tree.hardLinkTarget(target, of: entry.path)
                try Self.link(path, to: target, from: directories, root: root)
                report.files += 1
            case .file:
                try writer.write(entry, to: path, in: try directories.directory(of: path), from: reader)
                report.files += 1
            }
        }
        try reader.finish()
        report.bytes = writer.bytes
        report.archiveBytes = reader.archiveBytes
        let stripped = self.extractor.stripsTopLevelDirectory ? tree.topLevelDirectory : nil
        try tree.checkLinks(root: stripped, self.cancellation)
        for (path, target) in links {
            try directories.directory(of: path).makeLink(path.name, to: target, "Making the link \(path)")
        }
        report.strippedDirectory = stripped?.description
        return (report, stripped)
    }

    private func reader(_ place: Destination) throws(SlugStoreError) -> any ArchiveReader {
        let source = ArchiveSource(limit: self.limits.maxArchiveBytes, next: self.source)
        let head = try source.peek(ArchiveFormat.headBytes)
        guard !head.isEmpty else {
            throw SlugStoreError(code: .invalidArchive, message: "The archive is empty: it has no byte.")
        }
        switch ArchiveFormat(head) {
        case .tar(let compression):
            return try TarReader(try TarSource(source, compression, limits: self.limits))
        case .zip:
            let archive: Descriptor
            if let file, try file.isRegularFile {
                archive = file
            } else {
                archive = try place.keep(source, self.cancellation)
            }
            return try ZipReader(try ZipFile(archive, limit: self.limits.maxArchiveBytes), limits: self.limits)
        }
    }

    private func admit(
        _ entry: ArchiveEntry, to tree: inout ArchiveTree
    ) throws(SlugStoreError) -> ArchiveTree.Admission? {
        let shown = printable(entry.path)
        switch entry.kind {
        case .other(let what):
            throw ArchiveTree.refused("The archive has \(shown), which is \(what).")
        case .directory:
            return try tree.admit(entry.path, .directory)
        case .symbolicLink(let target):
            return try tree.admit(entry.path, .symbolicLink(target: target))
        case .hardLink(let target):
            guard entry.bytes == 0 else {
                throw ArchiveTree.refused("The archive has the hard link \(shown) with content of its own.")
            }
            _ = try tree.hardLinkTarget(target, of: entry.path)
            return try tree.admit(entry.path, .file)
        case .file:
            guard entry.permissions & (S_ISUID | S_ISGID) == 0 else {
                throw ArchiveTree.refused("The archive has \(shown), which sets the user or group of whoever runs it.")
            }
            return try tree.admit(entry.path, .file)
        }
    }

    static func link(
        _ path: TreePath, to target: TreePath, from directories: DirectoryCursor, root: Descriptor
    ) throws(SlugStoreError) {
        let targetDirectory = try DirectoryCursor(root: root).directory(of: target)
        let directory = try directories.directory(of: path)
        let status = withCString(target.name) { old in
            withCString(path.name) { new in linkat(targetDirectory.raw, old, directory.raw, new, 0) }
        }
        guard status == 0 else { throw .systemCall("Making the hard link \(path)") }
    }
}
