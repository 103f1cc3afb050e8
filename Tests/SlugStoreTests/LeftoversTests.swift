import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

@testable import SlugStore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What killed programs leave is removed by the next, and nothing else.
@Suite struct LeftoversTests {
    private static let old = Date(timeIntervalSinceNow: -7200)
    /// The second is that of a running process, as any number is in some container.
    private static let processes = [2_000_000_000, Int(getpid())]

    private enum Kind: CaseIterable {
        case file, workingDirectory, tree

        func name(_ process: Int, _ number: Int) -> String {
            switch self {
            case .file: ".abc.writing-\(process)-\(number)"
            case .workingDirectory: "slipway-work-\(process)-\(number)"
            case .tree: ".abc.extracting-\(process)-\(number)"
            }
        }

        func make(_ path: FilePath, isOld: Bool = true) throws {
            if self == .file {
                try path.write([1])
            } else {
                try FileManager.default.createDirectory(
                    atPath: path.appending("tree").string, withIntermediateDirectories: true)
                try path.appending("tree/file").write([1])
            }
            if isOld { try LeftoversTests.age(path) }
        }

        /// What is done when something of the kind is made.
        func sweep(_ directory: FilePath) async throws {
            switch self {
            case .file: Leftovers.files.sweep(try Descriptor.directory(at: directory))
            case .workingDirectory: try await WorkingDirectory.with(in: directory) { (_) throws(SlugStoreError) in }
            case .tree: try Destination(directory.appending("new")).discard()
            }
        }
    }

    private static func age(_ path: FilePath) throws {
        try FileManager.default.setAttributes([.modificationDate: self.old], ofItemAtPath: path.string)
    }

    @Test(arguments: Kind.allCases)
    private func `what nobody holds is removed, whatever its process's number`(kind: Kind) async throws {
        try await withTemporaryDirectory { directory in
            var kept: [String] = []
            var locks: [Descriptor] = []
            for process in Self.processes {
                try kind.make(directory.appending(kind.name(process, 1)))
                let (recent, held) = (kind.name(process, 2), kind.name(process, 3))
                try kind.make(directory.appending(recent), isOld: false)
                try kind.make(directory.appending(held))
                let lock = try Descriptor.open(directory.appending(held), O_RDONLY, "")
                try #require(flock(lock.raw, LOCK_EX | LOCK_NB) == 0)
                locks.append(lock)
                kept += [recent, held]
            }
            // Others' names, and none of the kind.
            for name in [kind.name(1, 1) + "x", "x" + kind.name(1, 1), kind.name(1, 1).replacing("-1-1", with: "-1")] {
                try kind.make(directory.appending(name))
                kept.append(name)
            }
            try await kind.sweep(directory)
            #expect(try names(in: directory) == kept.sorted())
            locks = []
            try await kind.sweep(directory)
            #expect(try names(in: directory) == kept.filter { !$0.hasSuffix("-3") }.sorted())
        }
    }

    @Test func `what is still needed stays, however old`() async throws {
        try await withTemporaryDirectory { directory in
            let file = try NewFile(at: directory.appending("abc"))
            let tree = try Destination(directory.appending("abc"))
            try await WorkingDirectory.with(in: directory) { (_) throws(SlugStoreError) in
                let made = (try? names(in: directory)) ?? []
                #expect(made.count == 3)
                for name in made { #expect(throws: Never.self) { try Self.age(directory.appending(name)) } }
                for kind in Kind.allCases {
                    await #expect(throws: Never.self) { try await kind.sweep(directory) }
                }
                #expect((try? names(in: directory)) == made)
            }
            try file.append([1])
            try file.publish()
            tree.discard()
            #expect(try names(in: directory) == ["abc"])
        }
    }

    @Test func `all that an import makes lies in its working directory`() async throws {
        try await withTemporaryDirectory { directory in
            try await WorkingDirectory.with(in: directory) { (path) throws(SlugStoreError) in
                let tree = try Destination(path)
                #expect((try? names(in: directory))?.count == 1)
                try tree.publish(nil)
                #expect((try? names(in: directory))?.count == 1)
            }
            #expect(try names(in: directory).isEmpty)
        }
    }

    @Test func `what an unfinished archive has left is removed by the next`() async throws {
        try await withTemporaryDirectory { directory in
            try TestTree(["a": .file("1")]).write(to: directory.appending("tree"))
            let left = directory.appending(Kind.file.name(Self.processes[1], 1))
            try Kind.file.make(left)
            _ = try await TreeArchiver().write(directory.appending("tree"), to: directory.appending("abc.tar"))
            #expect(try names(in: directory) == ["abc.tar", "tree"])
        }
    }
}
