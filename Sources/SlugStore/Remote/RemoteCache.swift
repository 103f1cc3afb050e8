import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What a tiered repository keeps beside its local one, in `remote/` of its directory.
final class RemoteCache: Sendable {
    /// Slugs that the remote does not have yet. Their number is the order in which they came.
    let journal: SlugNotes
    /// Slugs that the remote is known to have, or to have had.
    let stored: SlugNotes
    /// When slugs were used last, in milliseconds since 1970.
    let used: SlugNotes
    let staging: FilePath
    let names: TemporaryNames
    private let indexes: Descriptor
    private let root: Descriptor
    /// Held while this object lives, so that nobody sweeps what is being sent.
    private let lock: Descriptor

    init(directory: FilePath, synchronises: Bool, chance: UInt64) throws(SlugStoreError) {
        let path = directory.appending("remote")
        func make(_ path: FilePath) throws(SlugStoreError) {
            guard mkdir(path.string, 0o700) == 0 || errno == EEXIST else { throw .systemCall("Making \(path)") }
        }
        try make(path)
        self.root = try Descriptor.directory(at: path)
        let lock = try Descriptor.open(path.appending("lock"), O_RDWR | O_CREAT, mode: 0o600, "Locking \(path)")
        self.names = TemporaryNames(chance: chance)
        self.staging = path.appending("staging")
        let indexes = path.appending("indexes")
        try make(self.staging)
        try make(indexes)
        self.indexes = try Descriptor.directory(at: indexes)
        self.journal = try SlugNotes(path: path.appending("journal"), names: self.names, synchronises: synchronises)
        self.stored = try SlugNotes(path: path.appending("stored"), names: self.names, synchronises: false)
        self.used = try SlugNotes(path: path.appending("used"), names: self.names, synchronises: false)
        if retrying({ flock(lock.raw, LOCK_EX | LOCK_NB) }) == 0 {
            let staging = try Descriptor.directory(at: self.staging)
            for (name, _) in try staging.entries("Listing \(self.staging)") {
                try staging.unlink(name, "Sweeping \(self.staging)")
            }
            for name in ["indexes", "journal", "stored", "used"] { try Self.sweep(path.appending(name)) }
        }
        guard retrying({ flock(lock.raw, LOCK_SH) }) == 0 else { throw .systemCall("Locking \(path)") }
        self.lock = lock
    }

    /// Removes files that were never finished: until then, their names begin with a dot. What cannot be removed is no reason not to
    /// go on.
    private static func sweep(_ path: FilePath) throws(SlugStoreError) {
        let directory = try Descriptor.directory(at: path)
        for (name, _) in try directory.entries("Listing \(path)") where name.first == UInt8(ascii: ".") {
            try? directory.unlink(name, "Sweeping \(path)")
        }
    }

    // MARK: The first time

    private static let mark = Array("format".utf8)

    /// Whether what was in the local repository before has been noted down to be sent.
    func isInitialised() throws(SlugStoreError) -> Bool {
        try self.root.status(of: Self.mark, "Looking at what is beside the repository") != nil
    }

    func initialise() throws(SlugStoreError) {
        let what = "Writing the format of what is beside the repository"
        let file = try self.root.open(Self.mark, O_WRONLY | O_CREAT, mode: 0o600, what)
        try Array("slipway-remote 1\n".utf8).withBytes { bytes throws(SlugStoreError) in
            try file.write(bytes, at: 0, what)
        }
    }

    // MARK: Indexes of remote packs, as their packs end

    func packTail(_ name: PackName, limit: Int) -> [UInt8]? {
        guard let file = try? self.indexes.open(name.description.utf8, O_RDONLY, ""),
            let size = try? Int(file.status("").st_size), size <= limit
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: size)
        let count = try? bytes.withMutableBytes { buffer throws(SlugStoreError) in try file.read(into: buffer, "") }
        return count == size ? bytes : nil
    }

    /// A tail that cannot be kept is read from the remote again.
    func keep(packTail bytes: [UInt8], of name: PackName) {
        let temporary = ".\(self.names.next())"
        guard let file = try? self.indexes.open(temporary.utf8, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600, ""),
            (try? bytes.withBytes { bytes throws(SlugStoreError) in try file.write(bytes, at: 0, "") }) != nil,
            renameat(self.indexes.raw, temporary, self.indexes.raw, name.description) == 0
        else {
            unlinkat(self.indexes.raw, temporary, 0)
            return
        }
    }

    func forgetPackTails(except names: Set<PackName>) {
        for (entry, _) in (try? self.indexes.entries("")) ?? [] {
            guard let text = String(validating: entry, as: UTF8.self), let name = PackName(text), !names.contains(name)
            else { continue }
            try? self.indexes.unlink(entry, "")
        }
    }
}
