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

    /// Makes an application's storage ready for a one-off.
    ///
    /// - Throws: `conflict` while an instance of another user is still ending, which may be writing there.
    func prepareStorage(of plan: LaunchPlan) throws(PlatformError) {
        let application = plan.release.applicationID
        let others = self.runtime.instances(of: application).filter { $0.user != plan.user && !$0.isOver }
        guard others.isEmpty else {
            throw PlatformError(
                .conflict,
                "\(others.map(\.name).sorted().joined(separator: ", ")) of \(self.names.name(of: application)) still ends as the user that it had before, with its storage; try again when it has"
            )
        }
        try plan.storage.prepare()
    }
}

/// What stays of what an application's instances write, and whose it is.
struct ApplicationStorage: Sendable {
    let path: FilePath
    /// As whom the application runs; `nil`: as the platform.
    let user: UInt32?

    /// Makes it where it is missing, and gives it to the user. No instance of another user may be running: it would lose what it
    /// has open by name.
    func prepare() throws(PlatformError) {
        do {
            try FileManager.default.createDirectory(
                atPath: self.path.string, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            // Others' than its own only root can make it.
            if geteuid() == 0 { try OwnerChange.give(self.path, to: self.user ?? 0) }
        } catch {
            throw PlatformError(.internalError, "cannot make the storage \(self.path): \(error)", cause: error)
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
