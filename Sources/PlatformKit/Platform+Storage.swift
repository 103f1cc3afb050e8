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

extension Platform {
    /// The directory of an application's in which files stay from one instance, and one release, to the next. It goes with the
    /// application.
    func storage(of applicationID: String) -> FilePath {
        self.configuration.dataDirectory.appending("storage").appending(applicationID)
    }

    /// The same, made where it is missing and given to the user that the application runs as.
    func storage(of application: ApplicationRecord, user: UInt32?) throws(PlatformError) -> FilePath {
        let path = self.storage(of: application.id)
        do {
            try FileManager.default.createDirectory(
                atPath: path.string, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            // Others' than its own only root can make it.
            if geteuid() == 0 { try OwnerChange.give(path, to: user ?? 0) }
            return path
        } catch {
            throw PlatformError(
                .internalError, "cannot make the storage of \(application.name), \(path): \(error)", cause: error)
        }
    }
}

/// Removes a directory and all that is in it, though whoever had it may be changing it meanwhile: as ``OwnerChange``, it takes
/// each step from the directory before it and follows no link.
enum StorageRemoval {
    static func remove(_ path: FilePath) throws {
        let directory: FileDescriptor
        do {
            directory = try FileDescriptor.open(path, .readOnly, options: [.directory, .noFollow, .closeOnExec])
        } catch Errno.noSuchFileOrDirectory {
            return
        }
        try directory.closeAfter { try Self.removeContents(of: directory, depth: 0) }
        guard rmdir(path.string) == 0 || errno == ENOENT else { throw Errno(rawValue: errno) }
    }

    private static func removeContents(of directory: FileDescriptor, depth: Int) throws {
        guard depth < 200 else { throw Errno.tooManyReferences }
        for name in try OwnerChange.names(in: directory) {
            if unlinkat(directory.rawValue, name, 0) == 0 || errno == ENOENT { continue }
            let inner = openat(directory.rawValue, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard inner >= 0 else { throw Errno(rawValue: errno) }
            let descriptor = FileDescriptor(rawValue: inner)
            try descriptor.closeAfter { try Self.removeContents(of: descriptor, depth: depth + 1) }
            guard unlinkat(directory.rawValue, name, AT_REMOVEDIR) == 0 || errno == ENOENT else {
                throw Errno(rawValue: errno)
            }
        }
    }
}

/// Gives a directory and all that is in it to a user, when it is another's yet.
///
/// Whoever had it until now may be changing it meanwhile: each step is taken from the directory before it, and no link is
/// followed, so that nothing outside comes to be given away.
enum OwnerChange {
    static func give(_ path: FilePath, to user: UInt32) throws {
        let directory = try FileDescriptor.open(path, .readOnly, options: [.directory, .noFollow, .closeOnExec])
        try directory.closeAfter {
            var information = stat()
            guard fstat(directory.rawValue, &information) == 0 else { throw Errno(rawValue: errno) }
            if information.st_uid == user { return }
            try Self.giveContents(of: directory, to: user, depth: 0)
            // Last of all: what was interrupted is done again.
            guard fchown(directory.rawValue, user, user) == 0 else { throw Errno(rawValue: errno) }
        }
    }

    private static func giveContents(of directory: FileDescriptor, to user: UInt32, depth: Int) throws {
        guard depth < 100 else { throw Errno.tooManyReferences }
        for name in try Self.names(in: directory) {
            guard fchownat(directory.rawValue, name, user, user, AT_SYMLINK_NOFOLLOW) == 0 || errno == ENOENT else {
                throw Errno(rawValue: errno)
            }
            let inner = openat(directory.rawValue, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard inner >= 0 else { continue }
            let descriptor = FileDescriptor(rawValue: inner)
            try descriptor.closeAfter { try Self.giveContents(of: descriptor, to: user, depth: depth + 1) }
        }
    }

    fileprivate static func names(in directory: FileDescriptor) throws -> [[CChar]] {
        let copy = openat(directory.rawValue, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0, let stream = fdopendir(copy) else { throw Errno(rawValue: errno) }
        defer { closedir(stream) }
        // As they are, for they need not be text.
        var names: [[CChar]] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { text in
                    Array(UnsafeBufferPointer(start: text, count: strlen(text) + 1))
                }
            }
            if name != [46, 0], name != [46, 46, 0] { names.append(name) }
        }
        return names
    }
}
