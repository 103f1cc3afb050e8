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

/// Removes a directory and all that is in it, though whoever had it may be changing it meanwhile: as ``OwnerChange``, it takes
/// each step from the directory before it and follows no link.
///
/// However deep it is, two directories are open at a time: what is in a directory of the first one's is moved up into the first
/// one before that directory is removed.
struct StorageRemoval {
    private let top: FileDescriptor
    private var moved = 0
    /// Of how many names is known at a time.
    private let batch = 4_096

    static func remove(_ path: FilePath) throws {
        let top: FileDescriptor
        do {
            top = try FileDescriptor.open(path, .readOnly, options: [.directory, .noFollow, .closeOnExec])
        } catch Errno.noSuchFileOrDirectory {
            return
        } catch Errno.permissionDenied {
            // Its owner's own doing.
            _ = fchmodat(AT_FDCWD, path.string, 0o700, 0)
            top = try FileDescriptor.open(path, .readOnly, options: [.directory, .noFollow, .closeOnExec])
        }
        try top.closeAfter {
            var removal = Self(top: top)
            try removal.empty()
        }
        guard rmdir(path.string) == 0 || errno == ENOENT else { throw Errno(rawValue: errno) }
    }

    private init(top: FileDescriptor) { self.top = top }

    private mutating func empty() throws {
        Self.makeWritable(self.top)
        while true {
            let names = try DirectoryNames.names(in: self.top, atMost: self.batch)
            if names.isEmpty { return }
            for name in names {
                if unlinkat(self.top.rawValue, name, 0) == 0 || errno == ENOENT { continue }
                let reason = Errno(rawValue: errno)
                let inner: FileDescriptor?
                do { inner = try self.open(name, in: self.top) } catch Errno.notDirectory { throw reason }
                guard let inner else { continue }
                try inner.closeAfter { try self.raiseContents(of: inner) }
                guard unlinkat(self.top.rawValue, name, AT_REMOVEDIR) == 0 || errno == ENOENT else {
                    throw Errno(rawValue: errno)
                }
            }
        }
    }

    /// Empties a directory: what is none itself is removed, the others are moved up.
    private mutating func raiseContents(of directory: FileDescriptor) throws {
        Self.makeWritable(directory)
        while true {
            let names = try DirectoryNames.names(in: directory, atMost: self.batch)
            if names.isEmpty { return }
            for name in names {
                if unlinkat(directory.rawValue, name, 0) == 0 || errno == ENOENT { continue }
                // A directory that is moved is written to.
                let reason = Errno(rawValue: errno)
                do {
                    if geteuid() != 0 { try self.open(name, in: directory)?.close() }
                } catch Errno.notDirectory { throw reason }
                try self.raise(name, from: directory)
            }
        }
    }

    private mutating func raise(_ name: [CChar], from directory: FileDescriptor) throws {
        while true {
            self.moved += 1
            if renameat(directory.rawValue, name, self.top.rawValue, "moved-\(self.moved)") == 0 { return }
            switch errno {
            case ENOENT: return
            // Something of the application's is called so.
            case EEXIST, ENOTEMPTY, ENOTDIR: continue
            default: throw Errno(rawValue: errno)
            }
        }
    }

    /// Opens a directory, and has its owner, if that is who this is, be able to change it; nil: it is gone.
    private func open(_ name: [CChar], in directory: FileDescriptor) throws -> FileDescriptor? {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        var inner = openat(directory.rawValue, name, flags)
        if inner < 0, errno == EACCES, geteuid() != 0 {
            // It follows links, to what is this user's; and it is a directory, for it could not be unlinked.
            _ = fchmodat(directory.rawValue, name, 0o700, 0)
            inner = openat(directory.rawValue, name, flags)
        }
        guard inner >= 0 else {
            if errno == ENOENT { return nil }
            throw Errno(rawValue: errno)
        }
        let descriptor = FileDescriptor(rawValue: inner)
        Self.makeWritable(descriptor)
        return descriptor
    }

    private static func makeWritable(_ directory: FileDescriptor) {
        if geteuid() != 0 { _ = fchmod(directory.rawValue, 0o700) }
    }
}
