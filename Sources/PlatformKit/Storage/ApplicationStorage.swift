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

/// What stays of what an application's instances write, and whose it is.
struct ApplicationStorage: Sendable {
    let path: FilePath
    /// As whom the application runs; `nil`: as the platform.
    let user: UInt32?

    /// Makes it where it is missing, and gives it to the user. No instance of another user may be running: it would lose what it
    /// has open by name.
    func prepare() async throws(PlatformError) {
        try await BlockingWork.run { () throws(PlatformError) in
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
}

/// The names in a directory.
enum DirectoryNames {
    /// - Parameter limit: how many are read at most.
    static func names(in directory: FileDescriptor, atMost limit: Int) throws -> [[CChar]] {
        // As they are, for they need not be text.
        var names: [[CChar]] = []
        try self.visit(directory) { name in
            names.append(name)
            return names.count < limit
        }
        return names
    }

    /// Calls `body` with one name after the other, until it returns false: there may be too many to remember.
    static func visit(_ directory: FileDescriptor, _ body: ([CChar]) throws -> Bool) throws {
        let copy = openat(directory.rawValue, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0 else { throw Errno(rawValue: errno) }
        guard let stream = fdopendir(copy) else {
            let error = errno
            close(copy)
            throw Errno(rawValue: error)
        }
        defer { closedir(stream) }
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                // Whoever takes an error for the end of the directory believes that nothing is left in it.
                if errno != 0 { throw Errno(rawValue: errno) }
                return
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { text in
                    Array(UnsafeBufferPointer(start: text, count: strlen(text) + 1))
                }
            }
            if name != [46, 0], name != [46, 46, 0], try !body(name) { return }
        }
    }
}
