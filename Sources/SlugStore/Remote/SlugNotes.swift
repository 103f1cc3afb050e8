import Synchronization
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Small files by slug: which are still to be sent, which the remote has, when which was used last.
///
/// Blocks, but for microseconds; `synchronises` is for what must survive a power failure.
final class SlugNotes: Sendable {
    private let directory: Descriptor
    private let path: FilePath
    private let synchronises: Bool
    private let names: TemporaryNames

    init(path: FilePath, names: TemporaryNames, synchronises: Bool) throws(SlugStoreError) {
        guard mkdir(path.string, 0o700) == 0 || errno == EEXIST else { throw .systemCall("Making \(path)") }
        self.directory = try Descriptor.directory(at: path)
        self.path = path
        self.names = names
        self.synchronises = synchronises
    }

    func write(_ text: String, for id: SlugID) throws(SlugStoreError) {
        let what = "Writing \(self.path)/\(id.hex)"
        let temporary = ".\(self.names.next())"
        let file = try self.directory.open(temporary.utf8, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600, what)
        try Array(text.utf8).withBytes { bytes throws(SlugStoreError) in try file.write(bytes, at: 0, what) }
        if self.synchronises { try file.synchronise(what) }
        guard renameat(self.directory.raw, temporary, self.directory.raw, id.hex) == 0 else { throw .systemCall(what) }
        if self.synchronises { try self.directory.synchronise(what) }
    }

    func read(_ id: SlugID) -> String? {
        guard let file = try? self.directory.open(id.hex.utf8, O_RDONLY, "Reading a note") else { return nil }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = try? bytes.withMutableBytes { buffer throws(SlugStoreError) in
            try file.read(into: buffer, "Reading a note")
        }
        return count.flatMap { String(validating: bytes[..<$0], as: UTF8.self) }
    }

    func contains(_ id: SlugID) -> Bool {
        (try? self.directory.status(of: id.hex.utf8, "Looking for a note")).flatMap { $0 } != nil
    }

    func remove(_ id: SlugID) throws(SlugStoreError) {
        try self.directory.unlink(id.hex.utf8, "Removing \(self.path)/\(id.hex)")
        if self.synchronises { try self.directory.synchronise("Removing \(self.path)/\(id.hex)") }
    }

    var ids: Set<SlugID> {
        get throws(SlugStoreError) {
            Set(
                try self.directory.entries("Listing \(self.path)").compactMap { entry in
                    String(validating: entry.name, as: UTF8.self).flatMap { SlugID(hex: $0) }
                })
        }
    }
}

/// Names of files that no other object and no other process uses at the same time.
final class TemporaryNames: Sendable {
    private let number = Atomic(0)
    private let prefix: String

    /// - Parameter chance: tells objects in one process apart.
    init(chance: UInt64) { self.prefix = "\(getpid())-\(String(chance, radix: 16))" }

    func next() -> String { "\(self.prefix)-\(self.number.add(1, ordering: .relaxed).newValue)" }
}
