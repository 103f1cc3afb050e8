internal import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif
#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Gives a directory and all that is in it to a user, when it is another's yet.
///
/// Whoever had it until now may be changing it meanwhile: each step is taken from the directory before it, and no link is
/// followed, so that nothing outside comes to be given away. Neither is a file of several names that was not the former user's:
/// one of the names may be outside. However deep it is, few directories are open at a time.
struct OwnerChange {
    #if os(Linux)
        // The headers have them for GNU sources alone.
        private static let onlyPath: Int32 = 0o10_000_000  // O_PATH
        private static let emptyPath: Int32 = 0x1000  // AT_EMPTY_PATH
    #endif

    private struct Level {
        var device: dev_t
        var inode: ino_t
        /// The directories in it that are yet to come.
        var left: [[CChar]]
    }

    private let former: UInt32
    private let user: UInt32
    /// From the first directory to the one that is open.
    private var levels: [Level] = []

    static func give(_ path: FilePath, to user: UInt32) throws {
        let directory = try FileDescriptor.open(path, .readOnly, options: [.directory, .noFollow, .closeOnExec])
        try directory.closeAfter {
            let information = try Self.information(directory)
            if information.st_uid == user { return }
            var change = Self(former: information.st_uid, user: user)
            try change.walk(directory)
            // Last of all: what was interrupted is done again.
            guard fchown(directory.rawValue, user, user) == 0 else { throw Errno(rawValue: errno) }
        }
    }

    private init(former: UInt32, user: UInt32) {
        self.former = former
        self.user = user
    }

    private mutating func walk(_ first: FileDescriptor) throws {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        guard var current = try Self.open(".", in: first, flags) else { return }
        defer { try? current.close() }
        try self.enter(current)
        while let level = self.levels.indices.last {
            if let name = self.levels[level].left.popLast() {
                guard let inner = try Self.open(name, in: current, flags) else { continue }
                try? current.close()
                current = inner
                try self.enter(current)
                continue
            }
            self.levels.removeLast()
            guard let parent = self.levels.last else { return }
            guard let outer = try Self.open("..", in: current, flags) else { throw Errno.noSuchFileOrDirectory }
            try? current.close()
            current = outer
            let information = try Self.information(current)
            // Somebody has moved it: where this is now is not known. It is tried again from the beginning.
            guard information.st_dev == parent.device, information.st_ino == parent.inode else {
                throw Errno.resourceBusy
            }
        }
    }

    private mutating func enter(_ directory: FileDescriptor) throws {
        let information = try Self.information(directory)
        var left: [[CChar]] = []
        try DirectoryNames.visit(directory) { name in
            if try self.give(name, in: directory) { left.append(name) }
            return true
        }
        self.levels.append(Level(device: information.st_dev, inode: information.st_ino, left: left))
    }

    /// Returns whether it is a directory.
    private func give(_ name: [CChar], in directory: FileDescriptor) throws -> Bool {
        #if os(Linux)
            // Looked at and given away by the same descriptor: the name may come to be another file's in between.
            guard let file = try Self.open(name, in: directory, Self.onlyPath | O_NOFOLLOW | O_CLOEXEC) else {
                return false
            }
            return try file.closeAfter {
                let information = try Self.information(file)
                guard self.isToBeGiven(information) else { return false }
                guard fchownat(file.rawValue, "", self.user, self.user, Self.emptyPath) == 0 else {
                    throw Errno(rawValue: errno)
                }
                return information.st_mode & S_IFMT == S_IFDIR
            }
        #else
            var information = stat()
            guard fstatat(directory.rawValue, name, &information, AT_SYMLINK_NOFOLLOW) == 0 else {
                if errno == ENOENT { return false }
                throw Errno(rawValue: errno)
            }
            guard self.isToBeGiven(information) else { return false }
            guard fchownat(directory.rawValue, name, self.user, self.user, AT_SYMLINK_NOFOLLOW) == 0 || errno == ENOENT
            else { throw Errno(rawValue: errno) }
            return information.st_mode & S_IFMT == S_IFDIR
        #endif
    }

    private func isToBeGiven(_ file: stat) -> Bool {
        file.st_mode & S_IFMT == S_IFDIR || file.st_nlink <= 1 || file.st_uid == self.former
    }

    private static func information(_ file: FileDescriptor) throws -> stat {
        var information = stat()
        guard fstat(file.rawValue, &information) == 0 else { throw Errno(rawValue: errno) }
        return information
    }

    /// Opens something in a directory; nil: it is gone, or is something else by now.
    private static func open(_ name: [CChar], in directory: FileDescriptor, _ flags: Int32) throws -> FileDescriptor? {
        let descriptor = openat(directory.rawValue, name, flags)
        if descriptor >= 0 { return FileDescriptor(rawValue: descriptor) }
        switch errno {
        case ENOENT, ENOTDIR, ELOOP: return nil
        default: throw Errno(rawValue: errno)
        }
    }

    private static func open(_ name: String, in directory: FileDescriptor, _ flags: Int32) throws -> FileDescriptor? {
        try self.open(Array(name.utf8CString), in: directory, flags)
    }
}
