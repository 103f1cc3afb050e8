import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import PlatformKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Storage, whatever its application has made of it.
@Suite(.timeLimit(.minutes(1))) struct ApplicationStorageTests {
    private static func owner(_ path: FilePath) -> UInt32 {
        var information = stat()
        return lstat(path.string, &information) == 0 ? information.st_uid : .max
    }

    /// Directories in each other, deeper than a path can be long.
    private static func makeDeep(_ levels: Int, in path: FilePath) throws {
        try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
        var current = try FileDescriptor.open(path, .readOnly, options: .directory)
        for _ in 0..<levels {
            try #require(mkdirat(current.rawValue, "d", 0o700) == 0)
            let inner = openat(current.rawValue, "d", O_RDONLY | O_DIRECTORY)
            try #require(inner >= 0)
            try current.close()
            current = FileDescriptor(rawValue: inner)
        }
        try current.close()
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `what is kept is given to another user, and nothing outside by way of a link`() async throws {
        try await withTemporaryDirectory { directory in
            let storage = directory.appending("storage")
            let inner = storage.appending("a/b")
            try FileManager.default.createDirectory(atPath: inner.string, withIntermediateDirectories: true)
            let outside = directory.appending("outside")
            let (shared, own) = (directory.appending("shared"), directory.appending("own"))
            for file in [inner.appending("file"), outside, shared, own] {
                #expect(FileManager.default.createFile(atPath: file.string, contents: nil))
            }
            #expect(symlink(outside.string, inner.appending("link").string) == 0)
            #expect(symlink(directory.string, storage.appending("directory").string) == 0)
            // Names of files that are elsewhere, too: of somebody else, and of the former user.
            #expect(chown(shared.string, 70_009, 70_009) == 0)
            #expect(link(shared.string, inner.appending("shared").string) == 0)
            #expect(link(own.string, inner.appending("own").string) == 0)
            try OwnerChange.give(storage, to: 70_000)
            let given = [
                storage, storage.appending("a"), inner, inner.appending("file"), inner.appending("link"),
                inner.appending("own"),
            ]
            #expect(given.map(Self.owner) == given.map { _ in 70_000 })
            #expect(Self.owner(outside) == 0 && Self.owner(directory) == 0)
            #expect(Self.owner(shared) == 70_009)
        }
    }

    @Test func `however deep it is, it is given away and removed`() async throws {
        try await withTemporaryDirectory { directory in
            let storage = directory.appending("storage")
            try Self.makeDeep(5_000, in: storage)
            if geteuid() == 0 {
                try OwnerChange.give(storage, to: 70_000)
                #expect(Self.owner(storage) == 70_000 && Self.owner(storage.appending("d/d/d")) == 70_000)
            }
            try StorageRemoval.remove(storage)
            #expect(Self.owner(storage) == .max)
        }
    }

    @Test func `names that the removal itself would use are no hindrance`() async throws {
        try await withTemporaryDirectory { directory in
            let storage = directory.appending("storage")
            for name in ["moved-1/x", "moved-2/x", "a/b/c", "a/moved-3/y"] {
                try FileManager.default.createDirectory(
                    atPath: storage.appending(name).string, withIntermediateDirectories: true)
            }
            #expect(FileManager.default.createFile(atPath: storage.appending("moved-4").string, contents: nil))
            #expect(symlink(directory.string, storage.appending("a/b/link").string) == 0)
            try StorageRemoval.remove(storage)
            #expect(Self.owner(storage) == .max && Self.owner(directory) != .max)
        }
    }

    /// Root may do everything: what matters is what a user finds, as which `RootlessTests` runs it.
    @Test func `what its owner may not change is removed`() async throws {
        try await withTemporaryDirectory { directory in
            let storage = directory.appending("storage")
            try FileManager.default.createDirectory(
                atPath: storage.appending("a/b/c").string, withIntermediateDirectories: true)
            for name in ["a/b/c", "a/b", "a"] { #expect(chmod(storage.appending(name).string, 0) == 0) }
            try StorageRemoval.remove(storage)
            #expect(Self.owner(storage) == .max)
        }
    }
}
