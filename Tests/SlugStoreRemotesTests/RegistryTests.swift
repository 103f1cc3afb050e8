import Foundation
import SlugStore
import SlugStoreRemotes
import SlugStoreTesting
import Subprocess
import SystemPackage
import TestSupport
import Testing

@Suite(.enabled(if: RegistryServer.isInstalled, "docker-registry is not installed"), .serialized)
struct RegistryTests {
    @Test func `a registry keeps the promises of an object store, and slugs in it those of a repository`() async throws
    {
        try await withTemporaryDirectory { files in
            try await RegistryServer.with(in: files) { port in
                try await withClient { client in
                    // It has races of its own, which take a moment to pass.
                    let transport = makeTransport(client, pausing: 0.2)
                    for (number, check) in ObjectStoreConformance.Check.all.enumerated() {
                        let store = try Self.store(port, "objects/n\(number)", transport, chunkBytes: 2 << 20)
                        try await withTemporaryDirectory { directory in
                            await Self.expectKept(check.description) {
                                try await check.run(
                                    ObjectStoreConformance(
                                        workspace: directory, store: store, largeFileBytes: (5 << 20) + 17))
                            }
                        }
                    }
                    for (number, check) in SlugRepositoryConformance.Check.all.enumerated() {
                        let store = try Self.store(port, "slugs/n\(number)", transport)
                        try await withTemporaryDirectory { directory in
                            await Self.expectKept(check.description) {
                                try await check.run(
                                    SlugRepositoryConformance(workspace: directory) {
                                        makeHost(directory.appending("host"), on: store)
                                    })
                            }
                        }
                    }
                }
            }
        }
    }

    /// That others can read what we write is what the standard is for.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/skopeo"), "skopeo is not installed"))
    func `skopeo copies an object`() async throws {
        try await withTemporaryDirectory { files in
            try await RegistryServer.with(in: files) { port in
                try await withClient { client in
                    let store = try Self.store(port, "platform/slugs", makeTransport(client))
                    guard let key = ObjectKey("packs/one.pack") else { return }
                    try await store.write(Array("what is in it".utf8), to: key)
                    let target = files.appending("copy")
                    let result = try await run(
                        .path("/usr/bin/skopeo"),
                        arguments: [
                            "copy", "--insecure-policy", "--src-tls-verify=false",
                            "docker://127.0.0.1:\(port)/platform/slugs:packs_one.pack", "dir:\(target)",
                        ], output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
                    #expect(result.terminationStatus == .exited(0), "\(result.standardError)")
                    let contents = try FileManager.default.contentsOfDirectory(atPath: target.string).map {
                        FileManager.default.contents(atPath: target.appending($0).string)
                    }
                    #expect(contents.contains(Data("what is in it".utf8)))
                }
            }
        }
    }

    private static func expectKept(_ promise: String, _ body: () async throws -> Void) async {
        do {
            try await body()
        } catch {
            Issue.record("\(promise): \(error)")
        }
    }

    static func store(
        _ port: Int, _ repository: String, _ transport: RemoteTransport, chunkBytes: Int64 = 64 << 20
    ) throws -> RegistryObjectStore {
        var configuration = RegistryClient.Configuration(
            endpoint: RemoteEndpoint(isSecure: false, host: "127.0.0.1", port: port), repository: repository)
        configuration.chunkBytes = chunkBytes
        return RegistryObjectStore(
            client: try RegistryClient(configuration: configuration, transport: transport),
            immutablePrefixes: ["packs/"])
    }
}
