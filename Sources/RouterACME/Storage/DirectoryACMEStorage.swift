public import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Keeps everything as files in a directory that only its owner can read.
///
/// Files are written beside their place, brought to the disk and then moved there.
public struct DirectoryACMEStorage: ACMEStorage {
    /// The directory.
    public let directory: FilePath

    /// Uses a directory, which is made with its parents when the first file is written.
    public init(directory: FilePath) { self.directory = directory }

    /// The largest file that is read: 1 MiB.
    private static let maxBytes = 1 << 20

    /// Reads a file; nil when there is none.
    ///
    /// - Throws: ``ACMEError`` when the name is none; the system's error when the file cannot be read.
    public func read(_ name: String) async throws -> [UInt8]? {
        let path = try self.path(name)
        let file: FileDescriptor
        do {
            file = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .noFollow])
        } catch Errno.noSuchFileOrDirectory {
            return nil
        }
        return try file.closeAfter {
            var bytes: [UInt8] = []
            try withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 1) { buffer in
                while true {
                    let count = try file.read(into: buffer)
                    if count == 0 { return }
                    bytes.append(contentsOf: buffer[..<count])
                    guard bytes.count <= Self.maxBytes else { throw Errno.fileTooLarge }
                }
            }
            return bytes
        }
    }

    /// Writes a file, and returns when it is on the disk.
    ///
    /// - Throws: ``ACMEError`` when the name is none; the system's error when the file cannot be written.
    public func write(_ name: String, _ bytes: [UInt8]) async throws {
        let path = try self.path(name)
        let parent = path.removingLastComponent()
        try self.makeDirectory(parent)
        let temporary = parent.appending(".\(UInt64.random(in: .min ... .max)).new")
        do {
            let file = try FileDescriptor.open(
                temporary, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
            try file.closeAfter {
                try file.writeAll(bytes)
                try Self.synchronize(file)
            }
            try Self.move(temporary, to: path)
        } catch {
            _ = temporary.withPlatformString { unlink($0) }
            throw error
        }
        try Self.synchronize(directory: parent)
    }

    /// Removes a file, if there is one.
    ///
    /// - Throws: ``ACMEError`` when the name is none; the system's error when the file cannot be removed.
    public func remove(_ name: String) async throws {
        let path = try self.path(name)
        guard path.withPlatformString({ unlink($0) }) == 0 else {
            if errno == ENOENT { return }
            throw Errno(rawValue: errno)
        }
        try Self.synchronize(directory: path.removingLastComponent())
    }

    /// The names of the files in a directory of the directory, in order.
    ///
    /// - Throws: ``ACMEError`` when the name is none; the system's error when the directory cannot be read.
    public func names(in first: String) async throws -> [String] {
        let path = try self.path(first)
        guard let stream = path.withPlatformString({ opendir($0) }) else {
            if errno == ENOENT { return [] }
            throw Errno(rawValue: errno)
        }
        defer { closedir(stream) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            // What was being written when the process died is left alone; it has no name.
            if Self.isName(name) { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw Errno(rawValue: errno) }
        return names.sorted()
    }

    // MARK: Parts

    private func path(_ name: String) throws -> FilePath {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(parts.count), parts.allSatisfy(Self.isName) else {
            throw ACMEError(.storage, "'\(name.prefix(300))' is not a name that can be kept.")
        }
        return parts.reduce(self.directory) { $0.appending($1) }
    }

    private static func isName(_ part: String) -> Bool {
        (1...220).contains(part.utf8.count) && !part.hasPrefix(".")
            && part.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-_.".utf8.contains(byte)
            }
    }

    private func makeDirectory(_ path: FilePath) throws {
        if path.isEmpty || path.withPlatformString({ access($0, F_OK) }) == 0 { return }
        try self.makeDirectory(path.removingLastComponent())
        guard path.withPlatformString({ mkdir($0, 0o700) }) == 0 || errno == EEXIST else {
            throw Errno(rawValue: errno)
        }
    }

    private static func move(_ old: FilePath, to new: FilePath) throws {
        let result = old.withPlatformString { old in new.withPlatformString { new in rename(old, new) } }
        guard result == 0 else { throw Errno(rawValue: errno) }
    }

    private static func synchronize(directory: FilePath) throws {
        let file = try FileDescriptor.open(
            directory.isEmpty ? "." : directory, .readOnly, options: [.directory, .closeOnExec])
        try file.closeAfter { try Self.synchronize(file) }
    }

    private static func synchronize(_ file: FileDescriptor) throws {
        guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
    }
}
