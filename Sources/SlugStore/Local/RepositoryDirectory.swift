import Synchronization
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The directories of a local repository, and how files get into them: under a temporary name, synced, then renamed.
final class RepositoryDirectory: Sendable {
    static let format = "slipway-slugs 1\n"

    let path: FilePath
    let packs: Descriptor
    let slugs: Descriptor
    let removed: Descriptor
    let signatures: Descriptor
    let trees: Descriptor
    let temporary: Descriptor
    private let root: Descriptor
    /// Tells this start of the machine from others; `nil` where the system does not tell.
    let machineStart: [UInt8]?
    private let synchronises: Bool
    private let nextTemporary = Atomic(0)
    /// Tells the temporary files of this object from those of others, in this process or in another container's of the same
    /// number: an entry takes its name away when it goes, and must take no other's.
    private let token = String(UInt64.random(in: .min ... .max), radix: 16)

    /// Opens the repository in `path`, or makes one in an empty or missing directory.
    init(path: FilePath, synchronises: Bool) throws(SlugStoreError) {
        self.path = path
        self.synchronises = synchronises
        self.machineStart = Self.currentMachineStart()
        if mkdir(path.string, 0o755) != 0, errno != EEXIST {
            throw .systemCall("Making the repository \(path)")
        }
        let root = try Descriptor.directory(at: path)
        self.root = root
        try Self.checkFormat(root, path)
        // Only trees are for others' eyes, and even there only for those who know the slug.
        self.packs = try Self.subdirectory("packs", of: root, mode: 0o700)
        self.slugs = try Self.subdirectory("slugs", of: root, mode: 0o700)
        self.removed = try Self.subdirectory("removed", of: root, mode: 0o700)
        self.signatures = try Self.subdirectory("signatures", of: root, mode: 0o700)
        self.trees = try Self.subdirectory("trees", of: root, mode: 0o711)
        self.temporary = try Self.subdirectory("tmp", of: root, mode: 0o700)
    }

    private static func checkFormat(_ root: Descriptor, _ path: FilePath) throws(SlugStoreError) {
        let what = "Reading the format of the repository \(path)"
        // An empty one is what a full disk or a power failure has left of it, and like none: what is in the repository says by
        // itself of which version it is.
        if try root.status(of: "format".utf8, what)?.st_size ?? 0 == 0 {
            // Two processes may make it at the same time: they write the same bytes.
            let file = try NewFile(at: path.appending("format"))
            file.removeLeftovers()
            try file.append(Array(self.format.utf8))
            try file.publish(isDurable: true)
        }
        let file = try root.open("format".utf8, O_RDONLY, what)
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = try bytes.withMutableBytes { buffer throws(SlugStoreError) in try file.read(into: buffer, what) }
        guard bytes[..<count].elementsEqual(self.format.utf8) else {
            throw SlugStoreError(
                code: .unsupportedFormat,
                message: "The repository \(path) says it is \(printable(bytes[..<count])), this version reads "
                    + "\(printable(self.format.utf8.dropLast())). Use the version that wrote it, or another directory.")
        }
    }

    /// Where packs go that are damaged and could not be repaired; made when there is one.
    func damaged() throws(SlugStoreError) -> Descriptor {
        try Self.subdirectory("damaged", of: self.root, mode: 0o700)
    }

    private static func subdirectory(
        _ name: String, of root: Descriptor, mode: mode_t
    ) throws(SlugStoreError) -> Descriptor {
        let what = "Opening the repository's directory \(name)"
        if try root.status(of: name.utf8, what) == nil {
            do throws(SlugStoreError) {
                try root.makeDirectory(name.utf8, mode: mode, what)
            } catch {
                guard error.cause as? Errno == .fileExists else { throw error }
            }
        }
        let directory = try root.open(name.utf8, O_RDONLY | O_DIRECTORY, what)
        try directory.setMode(mode, what)
        return directory
    }

    /// A lock that other processes see, too, or `nil` if one of them holds it. It is held until the descriptor goes.
    func lock(exclusively: Bool) throws(SlugStoreError) -> Descriptor? {
        let what = "Locking the repository \(self.path)"
        let file = try self.root.open("lock".utf8, O_RDWR | O_CREAT, mode: 0o600, what)
        if retrying({ flock(file.raw, (exclusively ? LOCK_EX : LOCK_SH) | LOCK_NB) }) == 0 { return file }
        guard errno == EWOULDBLOCK else { throw .systemCall(what) }
        return nil
    }

    /// Removes what operations that never finished have left. Nobody else may be working on the repository.
    func sweep() throws(SlugStoreError) -> Int {
        let leftovers = try self.temporary.entries("Listing the repository's leftovers")
        for (name, _) in leftovers { try TreeRemover.remove(name, in: self.temporary) }
        return leftovers.count
    }

    /// A new temporary file, for writing and reading.
    func makeTemporaryFile() throws(SlugStoreError) -> TemporaryEntry {
        try self.makeTemporary { name throws(SlugStoreError) in
            try self.temporary.open(
                name.utf8, O_RDWR | O_CREAT | O_EXCL, mode: 0o600, "Making a temporary file in the repository")
        }
    }

    /// A new temporary directory.
    func makeTemporaryDirectory() throws(SlugStoreError) -> TemporaryEntry {
        try self.makeTemporary { name throws(SlugStoreError) in
            let what = "Making a temporary directory in the repository"
            try self.temporary.makeDirectory(name.utf8, mode: 0o755, what)
            let directory = try self.temporary.open(name.utf8, O_RDONLY | O_DIRECTORY, what)
            try directory.setMode(0o755, what)
            return directory
        }
    }

    private func makeTemporary(
        _ make: (String) throws(SlugStoreError) -> Descriptor
    ) throws(SlugStoreError) -> TemporaryEntry {
        while true {
            let number = self.nextTemporary.add(1, ordering: .relaxed).newValue
            let name = "\(getpid())-\(self.token)-\(number)"
            do throws(SlugStoreError) {
                return TemporaryEntry(name: name, descriptor: try make(name), directory: self.temporary)
            } catch {
                // A leftover, or another repository object of this process on the same directory: take the next number.
                guard error.cause as? Errno == .fileExists else { throw error }
            }
        }
    }

    /// Writes a finished file through and gives it its name. An existing file of that name is replaced.
    func replace(
        with entry: TemporaryEntry, as name: String, in directory: Descriptor
    ) throws(SlugStoreError) {
        let what = "Storing \(name) in the repository \(self.path)"
        if self.synchronises { try entry.descriptor.synchronise(what) }
        guard try self.move(entry.name, from: self.temporary, to: directory, as: name) else {
            throw SlugStoreError(code: .inputOutput, message: "\(what): the temporary file has gone. Try again.")
        }
        if self.synchronises { try directory.synchronise(what) }
    }

    /// Writes a finished file through and gives it its name. An existing file of that name stays.
    /// - Returns: Whether the name was free.
    func publish(
        _ entry: TemporaryEntry, as name: String, in directory: Descriptor
    ) throws(SlugStoreError) -> Bool {
        let what = "Storing \(name) in the repository \(self.path)"
        if self.synchronises { try entry.descriptor.synchronise(what) }
        let status = withCString(entry.name.utf8) { old in
            withCString(name.utf8) { new in linkat(self.temporary.raw, old, directory.raw, new, 0) }
        }
        guard status == 0 || errno == EEXIST else { throw .systemCall(what) }
        let isNew = status == 0
        if self.synchronises { try directory.synchronise(what) }
        return isNew
    }

    /// Gives a finished tree its name. If there is a tree of that name already, the new one stays where it was.
    func publishTree(_ entry: TemporaryEntry, as name: String) throws(SlugStoreError) {
        let status = withCString(entry.name.utf8) { old in
            withCString(name.utf8) { new in renameat(self.temporary.raw, old, self.trees.raw, new) }
        }
        guard status == 0 || errno == EEXIST || errno == ENOTEMPTY else {
            throw .systemCall("Putting the tree \(name) in its place")
        }
    }

    /// Moves an entry in one step.
    /// - Returns: Whether there was one.
    func move(
        _ name: String, from source: Descriptor, to target: Descriptor, as newName: String
    ) throws(SlugStoreError) -> Bool {
        let what = "Moving \(name) in the repository \(self.path)"
        let status = withCString(name.utf8) { old in
            withCString(newName.utf8) { new in renameat(source.raw, old, target.raw, new) }
        }
        guard status == 0 || errno == ENOENT else { throw .systemCall(what) }
        if status == 0, self.synchronises { try source.synchronise(what) }
        return status == 0
    }
}
