#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Reads and writes the small files of control groups. None of these calls waits for a disk.
enum GroupFiles {
    /// The text of a file, or nil when it cannot be read.
    static func read(_ path: String) -> String? { Self.readAll(Self.open(path, O_RDONLY)) }

    /// The same for a path that begins at an open directory, which is less than half of the way to go, and for a file of one
    /// record, which the kernel gives in one piece.
    static func readRecord(_ path: String, below directory: Descriptor) -> String? {
        let descriptor = openat(directory.rawValue, path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { chunk in
            let count = Self.read(descriptor, chunk)
            return count < 0 ? nil : String(decoding: UnsafeRawBufferPointer(rebasing: chunk[..<count]), as: UTF8.self)
        }
    }

    private static func readAll(_ descriptor: Int32) -> String? {
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { chunk in
            var bytes: [UInt8] = []
            // A list of processes has no bound of its own; four million numbers have this one.
            while bytes.count < 32 << 20 {
                let count = Self.read(descriptor, chunk)
                if count < 0 { return nil }
                if count == 0 { break }
                bytes += UnsafeRawBufferPointer(rebasing: chunk[..<count])
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    /// Writes a value in one call, as the kernel wants it. Returns 0 or an errno.
    static func write(_ value: String, to path: String) -> Int32 {
        let descriptor = Self.open(path, O_WRONLY)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        let bytes = Array(value.utf8)
        let count = bytes.withUnsafeBytes { Self.write(descriptor, $0) }
        return count < 0 ? errno : 0
    }

    /// Opens a directory to begin paths at; nil when it cannot be.
    static func openDirectory(_ path: String) -> Descriptor? {
        let descriptor = Self.open(path, O_RDONLY | O_DIRECTORY)
        return descriptor < 0 ? nil : Descriptor(owning: descriptor)
    }

    /// Opens a file for writing, for a child to write to. -1 and errno on failure.
    static func openForWriting(_ path: String) -> Int32 { Self.open(path, O_WRONLY) }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Makes a group; one that is there already is as good. Returns 0 or an errno.
    static func makeDirectory(_ path: String) -> Int32 { mkdir(path, 0o755) == 0 || errno == EEXIST ? 0 : errno }

    /// The groups in a group.
    static func directories(in path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            guard entry.pointee.d_type == UInt8(DT_DIR) else { continue }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Removes a group and those in it, as far as nobody is left in them. Returns 0 or an errno.
    static func removeTree(_ path: String) -> Int32 {
        if rmdir(path) == 0 || errno == ENOENT { return 0 }
        for name in Self.directories(in: path) { _ = Self.removeTree("\(path)/\(name)") }
        return rmdir(path) == 0 || errno == ENOENT ? 0 : errno
    }

    private static func open(_ path: String, _ mode: Int32) -> Int32 {
        #if canImport(Musl)
            Musl.open(path, mode | O_CLOEXEC)
        #else
            Glibc.open(path, mode | O_CLOEXEC)
        #endif
    }

    private static func read(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        #if canImport(Musl)
            Musl.read(descriptor, buffer.baseAddress, buffer.count)
        #else
            Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        #endif
    }

    private static func write(_ descriptor: Int32, _ buffer: UnsafeRawBufferPointer) -> Int {
        #if canImport(Musl)
            Musl.write(descriptor, buffer.baseAddress, buffer.count)
        #else
            Glibc.write(descriptor, buffer.baseAddress, buffer.count)
        #endif
    }
}
