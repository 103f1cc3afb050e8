import CSlugStoreIO
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The owner of one file descriptor, and the system calls that are made on it.
///
/// Everything below a tree's root is reached by `…at` calls relative to a directory's descriptor and with `O_NOFOLLOW`:
/// a path that somebody turns into a link in the meantime is an error, never a way out of the tree.
final class Descriptor: Sendable {
    let raw: CInt

    init(owning raw: CInt) { self.raw = raw }

    // Linux has released the descriptor even if close reports EINTR, so there is nothing to retry; everything that must
    // be on disk has been fsynced before.
    deinit { _ = close(self.raw) }

    static func open(
        _ path: FilePath, _ flags: CInt, mode: mode_t = 0, _ what: String
    ) throws(SlugStoreError) -> Descriptor {
        try Self.openAt(AT_FDCWD, Array(path.string.utf8), flags, mode: mode, what)
    }

    /// Opens a directory that the caller named; links in that path are the caller's.
    static func directory(at path: FilePath) throws(SlugStoreError) -> Descriptor {
        try Self.open(path, O_RDONLY | O_DIRECTORY, "Opening the directory \(path)")
    }

    /// Opens a file that the caller named, for reading.
    static func file(at path: FilePath) throws(SlugStoreError) -> Descriptor {
        try Self.open(path, O_RDONLY, "Opening \(path)")
    }

    /// Opens a file that somebody else may have made, for reading: nothing else is taken for one, a pipe for example, which
    /// would keep its reader waiting.
    static func regularFile(at path: FilePath, followsLinks: Bool = false) throws(SlugStoreError) -> Descriptor {
        let file: Descriptor
        do throws(SlugStoreError) {
            file = try Self.open(path, O_RDONLY | O_NONBLOCK | (followsLinks ? 0 : O_NOFOLLOW), "Opening \(path)")
        } catch {
            // What a link and a socket are refused with.
            guard [.tooManySymbolicLinkLevels, .noSuchAddressOrDevice].contains(error.cause as? Errno) else {
                throw error
            }
            throw .noRegularFile(path)
        }
        guard try file.isRegularFile else { throw .noRegularFile(path) }
        return file
    }

    func open(
        _ name: some Collection<UInt8>, _ flags: CInt, mode: mode_t = 0, _ what: @autoclosure () -> String
    ) throws(SlugStoreError) -> Descriptor {
        try Self.openAt(self.raw, name, flags | O_NOFOLLOW, mode: mode, what())
    }

    private static func openAt(
        _ directory: CInt, _ name: some Collection<UInt8>, _ flags: CInt, mode: mode_t,
        _ what: @autoclosure () -> String
    ) throws(SlugStoreError) -> Descriptor {
        let raw = withCString(name) { name in
            retrying { openat(directory, name, flags | O_CLOEXEC, mode) }
        }
        guard raw >= 0 else { throw .systemCall(what()) }
        return Descriptor(owning: raw)
    }

    func status(_ what: @autoclosure () -> String) throws(SlugStoreError) -> stat {
        var status = stat()
        guard fstat(self.raw, &status) == 0 else { throw .systemCall(what()) }
        return status
    }

    var isRegularFile: Bool {
        get throws(SlugStoreError) { try self.status("Looking at a file").st_mode & S_IFMT == S_IFREG }
    }

    var size: Int64 {
        get throws(SlugStoreError) { Int64(try self.status("Looking at a file").st_size) }
    }

    /// The status of an entry itself, not of what it links to; `nil` if there is none.
    func status(
        of name: some Collection<UInt8>, _ what: @autoclosure () -> String
    ) throws(SlugStoreError) -> stat? {
        var status = stat()
        if withCString(name, { fstatat(self.raw, $0, &status, AT_SYMLINK_NOFOLLOW) }) == 0 { return status }
        guard errno == ENOENT else { throw .systemCall(what()) }
        return nil
    }

    /// The bytes of its file system that this user may still take.
    func availableBytes(_ what: @autoclosure () -> String) throws(SlugStoreError) -> Int64 {
        var status = statvfs()
        guard retrying({ fstatvfs(self.raw, &status) }) == 0 else { throw .systemCall(what()) }
        return Int64(
            clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
    }

    func makeDirectory(
        _ name: some Collection<UInt8>, mode: mode_t, _ what: @autoclosure () -> String
    ) throws(SlugStoreError) {
        guard withCString(name, { mkdirat(self.raw, $0, mode) }) == 0 else { throw .systemCall(what()) }
    }

    func makeLink(
        _ name: some Collection<UInt8>, to target: [UInt8], _ what: @autoclosure () -> String
    ) throws(SlugStoreError) {
        let status = withCString(target) { target in withCString(name) { symlinkat(target, self.raw, $0) } }
        guard status == 0 else { throw .systemCall(what()) }
    }

    func linkTarget(
        of name: some Collection<UInt8>, limit: Int, _ what: @autoclosure () -> String
    ) throws(SlugStoreError) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: limit + 1)
        let count = buffer.withUnsafeMutableBytes { buffer in
            withCString(name) {
                // The buffer has at least one byte, so there is a base address.
                readlinkat(
                    self.raw, $0, buffer.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: CChar.self), buffer.count
                )
            }
        }
        guard count >= 0 else { throw .systemCall(what()) }
        guard count <= limit else {
            throw SlugStoreError(code: .limitExceeded, message: "\(what()): the link's target has over \(limit) bytes.")
        }
        return Array(buffer[..<count])
    }

    func unlink(
        _ name: some Collection<UInt8>, directory: Bool = false, _ what: @autoclosure () -> String
    ) throws(SlugStoreError) {
        guard withCString(name, { unlinkat(self.raw, $0, directory ? AT_REMOVEDIR : 0) }) == 0 || errno == ENOENT else {
            throw .systemCall(what())
        }
    }

    /// Reads at the current position until `buffer` is full or the file ends.
    func read(
        into buffer: UnsafeMutableRawBufferPointer, _ what: @autoclosure () -> String
    ) throws(SlugStoreError) -> Int {
        var total = 0
        while total < buffer.count {
            let count = retrying {
                #if canImport(Glibc)
                    Glibc.read(self.raw, buffer.baseAddress.map { $0 + total }, buffer.count - total)
                #elseif canImport(Musl)
                    Musl.read(self.raw, buffer.baseAddress.map { $0 + total }, buffer.count - total)
                #else
                    Darwin.read(self.raw, buffer.baseAddress.map { $0 + total }, buffer.count - total)
                #endif
            }
            guard count >= 0 else { throw .systemCall(what()) }
            if count == 0 { break }
            total += count
        }
        return total
    }

    /// Reads at `offset` until `buffer` is full or the file ends.
    func read(
        at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer, _ what: @autoclosure () -> String
    ) throws(SlugStoreError) -> Int {
        var total = 0
        while total < buffer.count {
            let count = retrying {
                pread(
                    self.raw, buffer.baseAddress.map { $0 + total }, buffer.count - total, off_t(offset) + off_t(total))
            }
            guard count >= 0 else { throw .systemCall(what()) }
            if count == 0 { break }
            total += count
        }
        return total
    }

    func write(
        _ bytes: UnsafeRawBufferPointer, at offset: UInt64, _ what: @autoclosure () -> String
    ) throws(SlugStoreError) {
        var total = 0
        while total < bytes.count {
            let count = retrying {
                pwrite(
                    self.raw, bytes.baseAddress.map { $0 + total }, bytes.count - total, off_t(offset) + off_t(total))
            }
            guard count >= 0 else { throw .systemCall(what()) }
            total += count
        }
    }

    /// Lets the system begin to write a part of the file to the disk, so that ``synchronise(_:)`` has less to wait for.
    func startWriting(at offset: UInt64, count: Int) {
        slipway_start_writing(self.raw, off_t(offset), off_t(count))
    }

    func setSize(_ bytes: Int64, _ what: @autoclosure () -> String) throws(SlugStoreError) {
        guard retrying({ ftruncate(self.raw, off_t(bytes)) }) == 0 else { throw .systemCall(what()) }
    }

    func setMode(_ mode: mode_t, _ what: @autoclosure () -> String) throws(SlugStoreError) {
        // Mostly it is that already, and looking costs a file system less than a change.
        guard try self.status(what()).st_mode & 0o7777 != mode else { return }
        guard fchmod(self.raw, mode) == 0 else { throw .systemCall(what()) }
    }

    func setTime(_ time: timespec, _ what: @autoclosure () -> String) throws(SlugStoreError) {
        guard futimens(self.raw, [time, time]) == 0 else { throw .systemCall(what()) }
    }

    func setTime(
        of name: some Collection<UInt8>, _ time: timespec, _ what: @autoclosure () -> String
    ) throws(SlugStoreError) {
        guard withCString(name, { utimensat(self.raw, $0, [time, time], AT_SYMLINK_NOFOLLOW) }) == 0 else {
            throw .systemCall(what())
        }
    }

    /// Makes what was written to the file, or the names in the directory, survive a power failure.
    func synchronise(_ what: @autoclosure () -> String) throws(SlugStoreError) {
        guard retrying({ fsync(self.raw) }) == 0 else { throw .systemCall(what()) }
    }

    /// The names in the directory, unsorted, with their type where the file system tells it (`DT_UNKNOWN` otherwise).
    func entries(_ what: @autoclosure () -> String) throws(SlugStoreError) -> [(name: [UInt8], type: UInt8)] {
        let copy = openat(self.raw, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { throw .systemCall(what()) }
        guard let stream = fdopendir(copy) else {
            let error = SlugStoreError.systemCall(what())
            _ = close(copy)
            throw error
        }
        defer { closedir(stream) }
        var entries: [(name: [UInt8], type: UInt8)] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in Array(bytes.prefix { $0 != 0 }) }
            if name == [0x2e] || name == [0x2e, 0x2e] { continue }
            entries.append((name, entry.pointee.d_type))
        }
        guard errno == 0 else { throw .systemCall(what()) }
        return entries
    }
}

/// Repeats a system call that a signal interrupted.
func retrying<R: SignedInteger>(_ call: () -> R) -> R {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}

/// Gives `body` the bytes with a terminating zero.
func withCString<R>(_ bytes: some Collection<UInt8>, _ body: (UnsafePointer<CChar>) -> R) -> R {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { buffer in
        var index = 0
        for byte in bytes {
            buffer[index] = CChar(bitPattern: byte)
            index += 1
        }
        buffer[index] = 0
        // The capacity is at least one, so there is a base address.
        return body(UnsafePointer(buffer.baseAddress.unsafelyUnwrapped))
    }
}

extension SlugStoreError {
    static func noRegularFile(_ path: FilePath) -> SlugStoreError {
        SlugStoreError(code: .invalidArchive, message: "\(path) is no file, but a link, a pipe or something else.")
    }

    /// The failure that `errno` tells of.
    static func systemCall(_ what: @autoclosure () -> String) -> SlugStoreError {
        let code = errno  // before `what` makes strings, which may touch it
        let what = what()
        let reason = String(cString: strerror(code))
        switch code {
        case ENOSPC, EDQUOT:
            return SlugStoreError(code: .noSpace, message: "\(what): \(reason). Free some space and try again.")
        default:
            return SlugStoreError(code: .inputOutput, message: "\(what): \(reason).", cause: Errno(rawValue: code))
        }
    }
}
