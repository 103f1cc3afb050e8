import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The file calls of this module, with errors that name no path. All of them block.
enum Files {
    static func failure(_ what: String, _ number: Int32 = errno) -> GitReceiverError {
        let code: GitReceiverError.Code = number == EEXIST ? .alreadyExists : number == ENOENT ? .notFound : .storage
        let reason = Errno(rawValue: number)
        return GitReceiverError(code, "\(what): \(reason).", cause: reason)
    }

    static func exists(_ path: FilePath) -> Bool { access(path.string, F_OK) == 0 }

    static func createDirectory(_ path: FilePath) throws(GitReceiverError) {
        do {
            try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
        } catch { throw GitReceiverError(.storage, "A directory could not be created.", cause: error) }
    }

    /// Makes one directory in one that is there.
    static func makeDirectory(_ path: FilePath) throws(GitReceiverError) {
        guard mkdir(path.string, 0o777) == 0 else { throw Self.failure("A directory could not be created") }
    }

    /// A fresh directory `prefixXXXXXX`.
    static func temporaryDirectory(in parent: FilePath, prefix: String) throws(GitReceiverError) -> FilePath {
        var template = Array(parent.appending(prefix + "XXXXXX").string.utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) } != nil
        }
        guard made else { throw Self.failure("A temporary directory could not be created") }
        return FilePath(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }

    /// The size of a file, or nil.
    static func size(_ path: FilePath) -> Int? {
        var info = stat()
        return lstat(path.string, &info) == 0 ? Int(info.st_size) : nil
    }

    /// When a file was changed, in nanoseconds since 1970; nil if it is not there.
    static func time(_ path: FilePath) -> Int? {
        var info = stat()
        guard lstat(path.string, &info) == 0 else { return nil }
        #if canImport(Darwin)
            let time = info.st_mtimespec
        #else
            let time = info.st_mtim
        #endif
        return Int(time.tv_sec) * 1_000_000_000 + Int(time.tv_nsec)
    }

    /// Says that a file was changed at a time.
    static func setTime(_ path: FilePath, to time: Int) throws(GitReceiverError) {
        let value = timespec(tv_sec: time / 1_000_000_000, tv_nsec: time % 1_000_000_000)
        guard utimensat(AT_FDCWD, path.string, [value, value], 0) == 0 else {
            throw Self.failure("The time of a file could not be set")
        }
    }

    static func list(_ path: FilePath) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: path.string)) ?? []
    }

    /// The names in a directory that has to be there.
    static func entries(_ path: FilePath) throws(GitReceiverError) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: path.string)
        } catch { throw GitReceiverError(.storage, "A directory could not be read.", cause: error) }
    }

    /// Removes a file or a tree; nothing there is fine.
    static func remove(_ path: FilePath) throws(GitReceiverError) {
        do {
            try FileManager.default.removeItem(atPath: path.string)
        } catch {
            guard Self.exists(path) else { return }
            throw GitReceiverError(.storage, "Files could not be removed.", cause: error)
        }
    }

    static func rename(_ from: FilePath, to: FilePath) throws(GitReceiverError) {
        #if canImport(Glibc)
            let result = Glibc.rename(from.string, to.string)
        #elseif canImport(Musl)
            let result = Musl.rename(from.string, to.string)
        #else
            let result = Darwin.rename(from.string, to.string)
        #endif
        guard result == 0 else { throw Self.failure("A file could not be renamed") }
    }

    /// Makes renames within a directory survive a power cut.
    static func sync(_ directory: FilePath) throws(GitReceiverError) {
        let descriptor = open(directory.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure("A directory could not be opened") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Self.failure("A directory could not be synced") }
    }
}

/// An advisory lock on a file, which the kernel gives up when the process dies.
struct FileLock: ~Copyable {
    private let descriptor: Int32

    /// Takes the lock, waiting for it unless told otherwise; nil if another holder has it. A shared one can be held by
    /// many, but not beside one that is not.
    init?(_ path: FilePath, waits: Bool, shared: Bool = false) throws(GitReceiverError) {
        let descriptor = open(path.string, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw Files.failure("A lock file could not be opened") }
        let kind = shared ? LOCK_SH : LOCK_EX
        while flock(descriptor, waits ? kind : kind | LOCK_NB) != 0 {
            let number = errno
            if number == EINTR { continue }
            close(descriptor)
            if number == EWOULDBLOCK { return nil }
            throw Files.failure("A lock could not be taken", number)
        }
        self.descriptor = descriptor
    }

    deinit { close(self.descriptor) }

    /// Whether nobody holds the lock; a file that cannot be opened counts as held.
    static func isFree(_ path: FilePath) -> Bool {
        do throws(GitReceiverError) {
            guard let lock = try FileLock(path, waits: false) else { return false }
            _ = consume lock
            return true
        } catch { return false }
    }
}

/// A lock that is held until its last user lets go of it.
final class HeldLock: Sendable {
    private let lock: FileLock

    /// Nil if another holder has it; a shared lock is waited for.
    init?(_ path: FilePath, shared: Bool = false) throws(GitReceiverError) {
        guard let lock = try FileLock(path, waits: shared, shared: shared) else { return nil }
        self.lock = lock
    }
}
