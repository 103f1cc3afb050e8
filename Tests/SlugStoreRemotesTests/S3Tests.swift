import SlugStore
import SlugStoreRemotes
import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

/// Against a server that speaks S3.
@Suite(.enabled(if: S3Server.isAvailable, "\(S3Server.advice)"), .serialized)
struct S3Tests {
    @Test func `a bucket keeps the promises of an object store`() async throws {
        try await Self.expectObjectStore(.path)
    }

    @Test(.enabled(if: S3Server.hasVirtualHosts, "SLIPWAY_TEST_S3_VIRTUAL_HOST names no host with buckets before it"))
    func `a bucket with a host of its own keeps the promises of an object store`() async throws {
        try await Self.expectObjectStore(.virtualHost)
    }

    @Test func `slugs in a bucket keep the promises of a repository`() async throws {
        try await withS3Server { server, transport in
            for (number, check) in SlugRepositoryConformance.Check.all.enumerated() {
                let store = try server.store("slugs-\(number)/", transport)
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

    @Test func `two hosts on one bucket run what the other put`() async throws {
        try await withS3Server { server, transport in
            try await withTemporaryDirectory { directory in
                let store = try server.store("shared/", transport)
                let tree = TestTree.random(seed: 3)
                try tree.write(to: directory.appending("tree"))
                let one = makeHost(directory.appending("1"), on: store)
                let two = makeHost(directory.appending("2"), on: store) { $0.mode = .writeBack }
                let slug = try await one.put(directory.appending("tree"), metadata: SlugMetadata())
                #expect(try await TestTree(readingAt: two.materialise(slug.id).path) == tree)
                let other = try await two.put(
                    directory.appending("tree"), metadata: SlugMetadata(labels: ["by": "two"]))
                try await two.drain()
                #expect(try await TestTree(readingAt: one.materialise(other.id).path) == tree)
                #expect(try await one.list().map(\.id) == [slug.id, other.id])
            }
        }
    }

    /// Two that write and two that collect. The grace time is zero, so that the order of requests alone keeps everything.
    @Test func `hosts put, remove and collect garbage at the same time, and lose nothing`() async throws {
        try await withS3Server { server, transport in
            try await withTemporaryDirectory { directory in
                let store = try server.store("garbage/", transport)
                let trees = (0..<3).map { TestTree.random(seed: 40 + UInt64($0), entries: 12) }
                let plain = makeHost(directory.appending("plain"), on: InMemoryObjectStore())
                var ids: [SlugID] = []
                for (number, tree) in trees.enumerated() {
                    let path = directory.appending("tree-\(number)")
                    try tree.write(to: path)
                    ids.append(try await plain.put(path, metadata: SlugMetadata()).id)
                }
                await withTaskGroup(of: Void.self) { group in
                    for host in 0..<4 {
                        group.addTask { [ids] in
                            let repository = makeHost(directory.appending("host-\(host)"), on: store)
                            for round in 0..<8 {
                                let choice = (round + host) % ids.count
                                let error = await slugStoreError { () throws(SlugStoreError) in
                                    if host >= 2 {
                                        _ = try await repository.collectGarbage()
                                    } else {
                                        if round % 3 == 2 { try await repository.remove(ids[choice]) }
                                        _ = try await repository.put(
                                            directory.appending("tree-\(choice)"), metadata: SlugMetadata())
                                    }
                                }
                                // Beaten by the others again and again, or nothing to remove.
                                #expect(error.map { [.busy, .notFound].contains($0.code) } ?? true, "\(error!)")
                            }
                        }
                    }
                }
                let reader = makeHost(directory.appending("reader"), on: store)
                let found = try await reader.list()
                #expect(!found.isEmpty)
                for slug in found {
                    let tree = try #require(ids.firstIndex(of: slug.id).map { trees[$0] })
                    #expect(try await TestTree(readingAt: reader.materialise(slug.id).path) == tree)
                    try await reader.verify(slug.id)
                }
                for slug in found { try await reader.remove(slug.id) }
                _ = try await reader.collectGarbage()
                _ = try await reader.collectGarbage()
                #expect(try await store.list(prefix: "packs/").isEmpty)
            }
        }
    }

    private static func expectObjectStore(_ addressing: S3ObjectStore.Addressing) async throws {
        try await withS3Server { server, transport in
            for (number, check) in ObjectStoreConformance.Check.all.enumerated() {
                let store = try server.store("\(number) with ü & co/", transport) {
                    $0.addressing = addressing
                    $0.multipartBytes = 5 << 20
                    $0.partBytes = 5 << 20
                }
                try await withTemporaryDirectory { directory in
                    await Self.expectKept("\(addressing): \(check)") {
                        try await check.run(
                            ObjectStoreConformance(
                                workspace: directory, store: store, largeFileBytes: (11 << 20) + 17))
                    }
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
}
