import Logging
import SlugStore
import SlugStoreRemotes
import SlugStoreTesting
import SystemPackage

/// A slug with dependencies, and its images in a layout.
struct SampleSlug {
    let repository: LocalSlugRepository
    let layout: ImageLayout
    private(set) var id: SlugID
    private(set) var report: SlugImage.Report
    private let directory: FilePath

    static let metadata = SlugMetadata(
        processTypes: ["web": "bin/web --port 80", "worker": "node worker.js | tee log"], buildpacks: ["nodejs"],
        labels: ["commit": "1a2b3c4d"])

    static func tree(_ application: String, dependencyBytes: Int) -> TestTree {
        var random = SeededGenerator(seed: 7)
        return TestTree([
            "bin/web": .file("#!/bin/sh\n", executable: true), "server.js": .file(application),
            "node_modules/big/index.js": .file(random.bytes(dependencyBytes)), "current": .link("bin"),
        ])
    }

    static func repository(in directory: FilePath) -> LocalSlugRepository {
        var configuration = LocalSlugRepository.Configuration(directory: directory)
        configuration.synchronises = false
        return LocalSlugRepository(
            configuration: configuration, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    init(in directory: FilePath, dependencyBytes: Int = 300_000) async throws {
        self.directory = directory
        self.repository = Self.repository(in: directory.appending("slugs"))
        self.layout = ImageLayout(directory: directory.appending("images"))
        let tree = directory.appending("tree")
        try Self.tree("one", dependencyBytes: dependencyBytes).write(to: tree)
        self.id = try await self.repository.put(tree, metadata: Self.metadata).id
        self.report = try await self.repository.exportImage(self.id, as: SlugImage(), into: self.layout)
    }

    /// Puts a release with another application and the same dependencies.
    mutating func release(_ application: String, dependencyBytes: Int = 300_000) async throws {
        let tree = self.directory.appending("tree-\(application)")
        try Self.tree(application, dependencyBytes: dependencyBytes).write(to: tree)
        self.id = try await self.repository.put(tree, metadata: Self.metadata).id
        self.report = try await self.repository.exportImage(self.id, as: SlugImage(), into: self.layout)
    }

    /// Brings an image of a registry back as a slug of another repository.
    func fetched(
        _ reference: String, from store: RegistryImageStore, in directory: FilePath
    ) async throws(SlugStoreError) -> ImageImport.Report {
        let layout = ImageLayout(directory: directory)
        _ = try await store.fetch(reference, into: layout, as: "fetched")
        return try await Self.repository(in: directory.appending("slugs")).importImage(
            "fetched", from: layout, workingIn: directory)
    }
}

func makeImageStore(
    _ port: Int, _ repository: String = "shop", client: RemoteTransport, chunkBytes: Int64 = 64 << 20,
    credentials: RegistryClient.Credentials? = nil, mountableFrom: [String] = []
) throws -> RegistryImageStore {
    var configuration = RegistryClient.Configuration(
        endpoint: RemoteEndpoint(isSecure: false, host: "127.0.0.1", port: port), repository: repository,
        credentials: credentials)
    configuration.chunkBytes = chunkBytes
    var images = RegistryImageStore.Configuration()
    images.mountableFrom = mountableFrom
    return RegistryImageStore(
        client: try RegistryClient(configuration: configuration, transport: client), configuration: images)
}
