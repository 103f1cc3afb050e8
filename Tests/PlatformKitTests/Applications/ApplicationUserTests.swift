import Foundation
import PlatformKitTesting
import SystemPackage
import TestSupport
import Testing

@testable import PlatformKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite(.timeLimit(.minutes(1))) struct ApplicationUserTests {
    @Test(
        arguments: [
            ([], 10),
            ([10], 11),
            // Not the one that became free: files of the one who had it may be left.
            ([10, 12], 13),
            ([12], 13),
            // Of another range.
            ([5, 99], 10),
            // From the beginning again when the range is used up.
            ([10, 14], 11),
            ([10, 11, 12, 13, 14], nil),
        ] as [(Set<UInt32>, UInt32?)])
    func `a number is the one after the last`(taken: Set<UInt32>, expected: UInt32?) {
        #expect(Platform.freeUser(in: 10...14, taken: taken) == expected)
    }

    @Test func `each application has its own for life, and storage that goes with it`() async throws {
        let users: ClosedRange<UInt32> = 70_000...70_001
        try await withPlatform {
            $0.applicationUsers = users
        } _: { host in
            for name in ["one", "two"] {
                try await host.create(name)
                try await host.deploy(name)
                try await host.deploy(name)
            }
            let requests = host.runtime.snapshot.requests
            #expect(requests.map(\.user) == [70_000, 70_000, 70_001, 70_001])
            let storage = try #require(requests.last?.storage)
            #expect(requests.suffix(2).map(\.storage) == [storage, storage])
            #expect(storage != requests[0].storage)
            var information = stat()
            #expect(stat(storage, &information) == 0)
            #expect(information.st_mode & 0o777 == 0o700)
            if geteuid() == 0 { #expect(information.st_uid == 70_001) }

            try await host.create("three")
            await expect(.limit, "--application-users") { try await host.deploy("three") }
            try await host.platform.destroyApplication("two", by: Harness.ada)
            #expect(!FileManager.default.fileExists(atPath: storage))
            try await host.deploy("three")
            #expect(host.runtime.snapshot.requests.last?.user == 70_001)
        }
    }

    @Test func `none has one where none is wanted`() async throws {
        try await withPlatform { host in
            try await host.create()
            try await host.deploy()
            #expect(host.runtime.snapshot.requests.map(\.user) == [nil])
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `what is kept is given to another user, and nothing outside by way of a link`() async throws {
        try await withTemporaryDirectory { directory in
            let storage = directory.appending("storage")
            let inner = storage.appending("a/b")
            try FileManager.default.createDirectory(atPath: inner.string, withIntermediateDirectories: true)
            let outside = directory.appending("outside")
            for file in [inner.appending("file"), outside] {
                #expect(FileManager.default.createFile(atPath: file.string, contents: nil))
            }
            #expect(symlink(outside.string, inner.appending("link").string) == 0)
            #expect(symlink(directory.string, storage.appending("directory").string) == 0)
            try OwnerChange.give(storage, to: 70_000)
            func owner(_ path: FilePath) -> UInt32 {
                var information = stat()
                return lstat(path.string, &information) == 0 ? information.st_uid : .max
            }
            let given = [storage, storage.appending("a"), inner, inner.appending("file"), inner.appending("link")]
            #expect(given.map(owner) == given.map { _ in 70_000 })
            #expect(owner(outside) == 0 && owner(directory) == 0)
        }
    }
}
