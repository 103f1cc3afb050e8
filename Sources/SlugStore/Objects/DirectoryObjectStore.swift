import Synchronization
public import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Objects as files below a directory: a disk that several machines have mounted, or a test's.
///
/// The file system must show a rename to all machines at once, as NFS does to those that open the file afterwards. Files
/// whose names begin with `.` are leftovers of writes that were interrupted and may be deleted when nobody writes.
public final class DirectoryObjectStore: ObjectStore, Sendable {
    private let root: FilePath
    private let synchronises: Bool
    private let nextTemporary = Atomic(0)

    /// Makes a store.
    /// - Parameters:
    ///   - directory: What objects are below; it is made at the first write, if its parent exists.
    ///   - synchronises: Whether objects are written through to the disk before they count.
    public init(directory: FilePath, synchronises: Bool = true) {
        self.root = directory
        self.synchronises = synchronises
    }

    /// Writes an object.
    public func write(_ bytes: [UInt8], to key: ObjectKey) async throws(SlugStoreError) {
        try await BlockingWork.run { cancellation throws(SlugStoreError) in
            try cancellation.check()
            try self.write(key) { file throws(SlugStoreError) in
                try bytes.withBytes { bytes throws(SlugStoreError) in
                    try file.write(bytes, at: 0, "Writing the object \(key)")
                }
            }
        }
    }

    /// Writes an object from a file.
    public func write(contentsOf file: FilePath, to key: ObjectKey) async throws(SlugStoreError) {
        try await BlockingWork.run { cancellation throws(SlugStoreError) in
            try cancellation.check()
            let source = try Descriptor.file(at: file)
            try self.write(key) { target throws(SlugStoreError) in
                var buffer = [UInt8](repeating: 0, count: 1 << 20)
                var offset: UInt64 = 0
                while true {
                    try cancellation.check()
                    let count = try buffer.withMutableBytes { buffer throws(SlugStoreError) in
                        try source.read(into: buffer, "Reading \(file)")
                    }
                    if count == 0 { break }
                    try buffer.withBytes { bytes throws(SlugStoreError) in
                        try target.write(
                            UnsafeRawBufferPointer(rebasing: bytes[..<count]), at: offset, "Writing the object \(key)")
                    }
                    offset += UInt64(count)
                }
            }
        }
    }

    /// The bytes of a range of an object.
    public func read(_ key: ObjectKey, range: Range<Int64>) async throws(SlugStoreError) -> [UInt8] {
        try await BlockingWork.run { cancellation throws(SlugStoreError) in
            try cancellation.check()
            guard let file = try self.open(key) else {
                throw SlugStoreError(code: .notFound, message: "There is no object \(key) in \(self.root).")
            }
            let size = Int64(try file.status("Reading the object \(key)").st_size)
            let range = range.clamped(to: 0..<max(size, 0))
            var bytes = [UInt8](repeating: 0, count: range.count)
            let count = try bytes.withMutableBytes { buffer throws(SlugStoreError) in
                try file.read(at: UInt64(range.lowerBound), into: buffer, "Reading the object \(key)")
            }
            return Array(bytes[..<count])
        }
    }

    /// The keys that start with `prefix`.
    public func list(prefix: String) async throws(SlugStoreError) -> [ObjectKey] {
        try await BlockingWork.run { cancellation throws(SlugStoreError) in
            var keys: [ObjectKey] = []
            var pending = [""]
            while let directory = pending.popLast() {
                try cancellation.check()
                let path = directory.isEmpty ? self.root : self.root.appending(directory)
                guard let opened = try Self.ifThere({ () throws(SlugStoreError) in try Descriptor.directory(at: path) })
                else { continue }
                for (name, _) in try opened.entries("Listing \(path)") {
                    guard name.first != UInt8(ascii: "."), let name = String(validating: name, as: UTF8.self) else {
                        continue
                    }
                    let key = directory.isEmpty ? name : "\(directory)/\(name)"
                    guard let status = try opened.status(of: name.utf8, "Listing \(path)") else { continue }
                    if status.st_mode & S_IFMT == S_IFDIR {
                        // Neither is the other's beginning: nothing below it can match.
                        if prefix.hasPrefix(key) || key.hasPrefix(prefix) { pending.append(key) }
                    } else if key.hasPrefix(prefix), let key = ObjectKey(key) {
                        keys.append(key)
                    }
                }
            }
            return keys
        }
    }

    /// The size of an object.
    public func size(of key: ObjectKey) async throws(SlugStoreError) -> Int64? {
        try await BlockingWork.run { cancellation throws(SlugStoreError) in
            try cancellation.check()
            guard let file = try self.open(key) else { return nil }
            return Int64(try file.status("Looking at the object \(key)").st_size)
        }
    }

    /// Deletes an object.
    public func delete(_ key: ObjectKey) async throws(SlugStoreError) {
        try await BlockingWork.run { cancellation throws(SlugStoreError) in
            try cancellation.check()
            guard unlink(self.root.appending(key.description).string) == 0 || errno == ENOENT || errno == ENOTDIR else {
                throw .systemCall("Deleting the object \(key)")
            }
        }
    }

    private func open(_ key: ObjectKey) throws(SlugStoreError) -> Descriptor? {
        try Self.ifThere { () throws(SlugStoreError) in try Descriptor.file(at: self.root.appending(key.description)) }
    }

    private static func ifThere<R>(_ body: () throws(SlugStoreError) -> R) throws(SlugStoreError) -> R? {
        do throws(SlugStoreError) {
            return try body()
        } catch {
            let cause = error.cause as? Errno
            guard cause == .noSuchFileOrDirectory || cause == .notDirectory else { throw error }
            return nil
        }
    }

    private func write(
        _ key: ObjectKey, _ fill: (Descriptor) throws(SlugStoreError) -> Void
    ) throws(SlugStoreError) {
        let what = "Writing the object \(key)"
        let path = self.root.appending(key.description)
        let parent = path.removingLastComponent()
        var directory = self.root
        for part in [""] + key.description.split(separator: "/").dropLast().map(String.init) {
            if !part.isEmpty { directory = directory.appending(part) }
            guard mkdir(directory.string, 0o755) == 0 || errno == EEXIST else { throw .systemCall(what) }
        }
        let number = self.nextTemporary.add(1, ordering: .relaxed).newValue
        // Several machines write here: process identifiers alone would meet.
        let temporary = parent.appending(".\(getpid())-\(number)-\(UInt64.random(in: .min ... .max))")
        let file = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644, what)
        do throws(SlugStoreError) {
            try fill(file)
            if self.synchronises { try file.synchronise(what) }
            guard rename(temporary.string, path.string) == 0 else { throw .systemCall(what) }
        } catch {
            unlink(temporary.string)
            throw error
        }
        if self.synchronises { try Descriptor.directory(at: parent).synchronise(what) }
    }
}
