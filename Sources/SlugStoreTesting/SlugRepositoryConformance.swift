public import SlugStore
public import SystemPackage

/// The promises of ``SlugRepository`` as checks, for those who write their own.
///
/// ```swift
/// @Test(arguments: SlugRepositoryConformance.Check.all)
/// func `keeps its promises`(check: SlugRepositoryConformance.Check) async throws {
///     try await check.run(SlugRepositoryConformance(workspace: freshDirectory) { MyRepository(…) })
/// }
/// ```
public struct SlugRepositoryConformance: Sendable {
    /// One promise.
    public struct Check: Sendable, CustomStringConvertible {
        /// What is checked.
        public let description: String
        private let body: @Sendable (SlugRepositoryConformance) async throws -> Void

        init(_ description: String, _ body: @escaping @Sendable (SlugRepositoryConformance) async throws -> Void) {
            self.description = description
            self.body = body
        }

        /// Checks it.
        /// - Throws: ``Violation``, or what the repository threw where it must not throw.
        public func run(_ conformance: SlugRepositoryConformance) async throws { try await self.body(conformance) }
    }

    /// A directory for the trees of the checks, fresh for each.
    public let workspace: FilePath
    /// Makes a repository on an empty store of its own, the same for all calls on one value of this type. It is called twice
    /// by checks for what outlives a repository object.
    public let makeRepository: @Sendable () async throws -> any SlugRepository

    /// Prepares to check.
    public init(workspace: FilePath, makeRepository: @escaping @Sendable () async throws -> any SlugRepository) {
        self.workspace = workspace
        self.makeRepository = makeRepository
    }

    func write(_ tree: TestTree, _ name: String = "tree", reversed: Bool = false) throws -> FilePath {
        let path = self.workspace.appending(name)
        try tree.write(to: path, reversed: reversed)
        return path
    }
}

extension SlugRepositoryConformance {
    static let sample = TestTree([
        "Procfile": .file("web: bin/run\n"), "bin/run": .file("#!/bin/sh\nexec true\n", executable: true),
        "empty": .directory, "lib/nothing": .file(""), "lib/big": .file(bigFile), "lib/copy": .file(bigFile),
        "current": .link("lib"), "out": .link("../../etc"), "absolute": .link("/etc/passwd"),
    ])

    static let bigFile: [UInt8] = {
        var random = SeededGenerator(seed: 7)
        return random.bytes(600_000)
    }()

    static let metadata = SlugMetadata(
        processTypes: ["web": "bin/run", "worker": "bin/run --work"], buildpacks: ["python"], labels: ["commit": "abc"])

    static func expect(
        _ code: SlugStoreError.Code, _ what: String, _ body: () async throws(SlugStoreError) -> Void
    ) async throws(Violation) {
        do throws(SlugStoreError) {
            try await body()
        } catch {
            return try requireEqual(error.code, code, what)
        }
        throw Violation("\(what): expected \(code), but nothing was thrown")
    }
}
