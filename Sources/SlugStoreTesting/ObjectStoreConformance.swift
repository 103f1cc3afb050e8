public import SlugStore
public import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The promises of ``ObjectStore`` as checks, for those who write their own.
public struct ObjectStoreConformance: Sendable {
    /// One promise.
    public struct Check: Sendable, CustomStringConvertible {
        /// What is checked.
        public let description: String
        private let body: @Sendable (ObjectStoreConformance) async throws -> Void

        init(_ description: String, _ body: @escaping @Sendable (ObjectStoreConformance) async throws -> Void) {
            self.description = description
            self.body = body
        }

        /// Checks it.
        /// - Throws: ``Violation``, or what the store threw where it must not throw.
        public func run(_ conformance: ObjectStoreConformance) async throws { try await self.body(conformance) }
    }

    /// A directory for files, fresh for each check.
    public let workspace: FilePath
    /// An empty store.
    public let store: any ObjectStore
    /// A size from which the store sends a file in parts, if there is one.
    public let largeFileBytes: Int

    /// Prepares to check.
    public init(workspace: FilePath, store: any ObjectStore, largeFileBytes: Int = 3 << 20) {
        self.workspace = workspace
        self.store = store
        self.largeFileBytes = largeFileBytes
    }

    static func key(_ text: String) throws(Violation) -> ObjectKey {
        guard let key = ObjectKey(text) else { throw Violation("\(text) is not a key") }
        return key
    }

    static func bytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        return random.bytes(count)
    }
}

extension ObjectStoreConformance.Check {
    /// All promises.
    public static let all: [Self] = [
        Self("what was written is read, whole and in ranges") { suite in
            let (store, key) = (suite.store, try ObjectStoreConformance.key("packs/one.pack"))
            let bytes = ObjectStoreConformance.bytes(100_000)
            try await store.write(bytes, to: key)
            try requireEqual(try await store.size(of: key), 100_000, "the size")
            try requireEqual(try await store.read(key, range: 0..<100_000), bytes, "the object")
            try requireEqual(try await store.read(key, range: 0..<1), [bytes[0]], "the first byte")
            try requireEqual(
                try await store.read(key, range: 70_001..<90_007), Array(bytes[70_001..<90_007]), "a range")
            try requireEqual(
                try await store.read(key, range: 99_990..<200_000), Array(bytes[99_990...]),
                "a range that goes on after the object")
            try requireEqual(
                try await store.read(key, range: 100_000..<100_010), [], "a range that starts after the object")
            try requireEqual(try await store.read(key, range: 5..<5), [], "an empty range")
        },
        Self("an object may be empty") { suite in
            let key = try ObjectStoreConformance.key("empty")
            try await suite.store.write([], to: key)
            try requireEqual(try await suite.store.size(of: key), 0, "the size")
            try requireEqual(try await suite.store.read(key, range: 0..<100), [], "the object")
            try requireEqual(try await suite.store.list(prefix: "").map(\.description), ["empty"], "the list")
        },
        Self("the last write counts") { suite in
            let key = try ObjectStoreConformance.key("slugs/0123")
            try await suite.store.write(Array("first".utf8), to: key)
            try await suite.store.write(Array("second".utf8), to: key)
            try requireEqual(try await suite.store.read(key, limit: 6), Array("second".utf8), "the object")
            try await suite.store.write(Array("second".utf8), to: key)
            try requireEqual(try await suite.store.list(prefix: "slugs/").count, 1, "objects")
            try await SlugRepositoryConformance.expect(.limitExceeded, "a limit of 5") { () throws(SlugStoreError) in
                _ = try await suite.store.read(key, limit: 5)
            }
        },
        Self("a file of any size is an object") { suite in
            for (count, name) in [(0, "none"), (17, "small"), (suite.largeFileBytes, "large")] {
                let bytes = ObjectStoreConformance.bytes(count, seed: UInt64(count))
                let path = suite.workspace.appending(name)
                try Data(bytes).write(to: URL(filePath: path.string))
                let key = try ObjectStoreConformance.key("packs/\(name)")
                try await suite.store.write(contentsOf: path, to: key)
                try requireEqual(try await suite.store.size(of: key), Int64(count), "the size of \(name)")
                let found = try await suite.store.read(key, limit: count)
                try require(found == bytes, "the object from the file \(name) is not what the file is")
            }
        },
        Self("a list has all keys with the prefix, and no others") { suite in
            let names = (0..<25).map { "many/\($0)" } + ["many-more/1", "man", "a.b/c-d/e"]
            for name in names {
                try await suite.store.write(Array(name.utf8), to: try ObjectStoreConformance.key(name))
            }
            func list(_ prefix: String) async throws -> [String] {
                try await suite.store.list(prefix: prefix).map(\.description).sorted()
            }
            try requireEqual(try await list(""), names.sorted(), "all keys")
            try requireEqual(try await list("many/"), names.filter { $0.hasPrefix("many/") }.sorted(), "many/")
            try requireEqual(try await list("many"), names.filter { $0.hasPrefix("many") }.sorted(), "many")
            try requireEqual(try await list("a.b/c-"), ["a.b/c-d/e"], "a.b/c-")
            try requireEqual(try await list("none/"), [], "none/")
        },
        Self("what is deleted is gone, and deleting it again is no error") { suite in
            let (one, two) = (try ObjectStoreConformance.key("x/1"), try ObjectStoreConformance.key("x/2"))
            // Equal bytes are two objects all the same.
            for key in [one, two] { try await suite.store.write(Array("same".utf8), to: key) }
            try await suite.store.delete(one)
            try await suite.store.delete(one)
            try requireEqual(try await suite.store.list(prefix: ""), [two], "what is left")
            try requireEqual(try await suite.store.size(of: one), nil, "the size of what is gone")
            try requireEqual(try await suite.store.read(two, limit: 4), Array("same".utf8), "what is left")
            try await suite.store.write(Array("same".utf8), to: one)
            try requireEqual(try await suite.store.read(one, limit: 4), Array("same".utf8), "what came back")
        },
        Self("what is not there is not found") { suite in
            let key = try ObjectStoreConformance.key("not/there")
            try requireEqual(try await suite.store.size(of: key), nil, "the size")
            try requireEqual(try await suite.store.list(prefix: ""), [], "the list")
            try await SlugRepositoryConformance.expect(.notFound, "a read") { () throws(SlugStoreError) in
                _ = try await suite.store.read(key, range: 0..<10)
            }
            try await suite.store.delete(key)
        },
        Self("a key may be as long as keys can be") { suite in
            let key = try ObjectStoreConformance.key(
                String(repeating: "a", count: 63) + "/" + String(repeating: "0.-", count: 21) + "z")
            try await suite.store.write([1], to: key)
            try requireEqual(try await suite.store.list(prefix: "a"), [key], "the list")
            try requireEqual(try await suite.store.read(key, limit: 1), [1], "the object")
        },
        Self("many at once do not disturb each other") { suite in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        let key = try ObjectStoreConformance.key("at-once/\(number % 4)")
                        let bytes = ObjectStoreConformance.bytes(50_000, seed: UInt64(number % 4))
                        try await suite.store.write(bytes, to: key)
                        try require(
                            try await suite.store.read(key, limit: 50_000) == bytes, "\(key) is not what was written")
                    }
                }
                try await group.waitForAll()
            }
            try requireEqual(try await suite.store.list(prefix: "at-once/").count, 4, "objects")
        },
        Self("a cancelled call says so") { suite in
            let key = try ObjectStoreConformance.key("cancelled")
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await suite.store.write([1, 2, 3], to: key)
            }
            do {
                try await task.value
                throw Violation("a cancelled write did not throw")
            } catch let error as SlugStoreError {
                try requireEqual(error.code, .cancelled, "the error of a cancelled write")
            }
        },
    ]
}
