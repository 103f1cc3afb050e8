import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where a tree is made, beside where it will be: on the same file system, so that a rename brings it there in one step.
struct Destination {
    private let path: FilePath
    private let parent: Descriptor
    private let name: String
    private let temporaryName: String
    /// The directory to make the tree in.
    let directory: Descriptor

    init(_ path: FilePath) throws(SlugStoreError) {
        guard let name = path.lastComponent?.string, name != "..", name != "." else {
            throw SlugStoreError(code: .destinationExists, message: "\(path) cannot be the destination of an archive.")
        }
        self.path = path
        self.name = name
        let above = path.removingLastComponent()
        let parent = try Descriptor.directory(at: above.isEmpty ? "." : above)
        self.parent = parent
        let mode = try Self.modeOfExisting(name, in: parent, path)
        Leftovers.trees.sweep(parent)
        var (number, made) = (0, false)
        var temporaryName = ""
        while !made {
            number += 1
            temporaryName = ".\(name).extracting-\(getpid())-\(number)"
            do throws(SlugStoreError) {
                try parent.makeDirectory(temporaryName.utf8, mode: 0o700, "Making a directory beside \(path)")
                made = true
            } catch {
                guard error.cause as? Errno == .fileExists, number < 10_000 else { throw error }
            }
        }
        self.temporaryName = temporaryName
        self.directory = try parent.open(
            temporaryName.utf8, O_RDONLY | O_DIRECTORY, "Opening the directory beside \(path)")
        Leftovers.claim(self.directory)
        self.finalMode = mode
    }

    private let finalMode: mode_t

    private static func modeOfExisting(
        _ name: String, in parent: Descriptor, _ path: FilePath
    ) throws(SlugStoreError) -> mode_t {
        guard let status = try parent.status(of: name.utf8, "Looking at \(path)") else { return 0o755 }
        guard status.st_mode & S_IFMT == S_IFDIR,
            try parent.open(name.utf8, O_RDONLY | O_DIRECTORY, "Opening \(path)").entries("Listing \(path)").isEmpty
        else {
            throw SlugStoreError(
                code: .destinationExists, message: "\(path) exists and is not an empty directory. Name another one.")
        }
        return status.st_mode & 0o777
    }

    /// Keeps an archive that has to be read in any order, in a file that has no name and so never stays behind.
    func keep(_ source: ArchiveSource, _ cancellation: Cancellation) throws(SlugStoreError) -> Descriptor {
        let what = "Keeping the archive beside \(self.path)"
        let name = "\(self.temporaryName).archive".utf8
        let file = try self.parent.open(name, O_RDWR | O_CREAT | O_EXCL, mode: 0o600, what)
        try self.parent.unlink(name, what)
        var offset: UInt64 = 0
        while let bytes = try source.take() {
            try cancellation.check()
            try bytes.withBytes { bytes throws(SlugStoreError) in try file.write(bytes, at: offset, what) }
            offset += UInt64(bytes.count)
        }
        return file
    }

    /// Brings the tree, or the part of it below `root`, to its destination.
    func publish(_ root: TreePath?) throws(SlugStoreError) {
        let what = "Moving the tree to \(self.path)"
        let source = try root.map { (root) throws(SlugStoreError) in
            try self.directory.open(root.name, O_RDONLY | O_DIRECTORY, what)
        }
        try (source ?? self.directory).setMode(self.finalMode, what)
        let status = withCString(root.map { Array($0.bytes) } ?? Array(self.temporaryName.utf8)) { old in
            withCString(self.name.utf8) { new in
                renameat((root == nil ? self.parent : self.directory).raw, old, self.parent.raw, new)
            }
        }
        // Until then it is claimed.
        withExtendedLifetime(self.directory) {}
        guard status == 0 else { throw .systemCall(what) }
        if root != nil { self.discard() }
    }

    /// Removes what was made. What cannot be removed is left: the error that led here is the one to tell.
    func discard() { try? TreeRemover.remove(self.temporaryName.utf8, in: self.parent) }
}
