import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import SlugStore
import SlugStoreRemotes
import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

/// Against moto, which speaks S3 but believes every signature: those are tried on AWS's own examples.
@Suite(.enabled(if: MotoServer.isInstalled, "moto is not installed (pip install 'moto[server]')"), .serialized)
struct S3Tests {
    @Test func `a bucket keeps the promises of an object store, and slugs in it those of a repository`() async throws {
        try await MotoServer.with { port in
            try await withClient { client in
                let transport = makeTransport(client)
                for (number, check) in ObjectStoreConformance.Check.all.enumerated() {
                    let store = try await Self.store(port, "objects-\(number)", client, transport) {
                        $0.prefix = "a prefix/with ü & co/"
                        $0.multipartBytes = 5 << 20
                        $0.partBytes = 5 << 20
                    }
                    try await withTemporaryDirectory { directory in
                        await Self.expectKept(check.description) {
                            try await check.run(
                                ObjectStoreConformance(
                                    workspace: directory, store: store, largeFileBytes: (11 << 20) + 17))
                        }
                    }
                }
                for (number, check) in SlugRepositoryConformance.Check.all.enumerated() {
                    let store = try await Self.store(port, "slugs-\(number)", client, transport)
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

    @Test func `two hosts on one bucket run what the other put`() async throws {
        try await MotoServer.with { port in
            try await withClient { client in
                try await withTemporaryDirectory { directory in
                    let store = try await Self.store(port, "shared", client, makeTransport(client))
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
    }

    private static func expectKept(_ promise: String, _ body: () async throws -> Void) async {
        do {
            try await body()
        } catch {
            Issue.record("\(promise): \(error)")
        }
    }

    static func store(
        _ port: Int, _ bucket: String, _ client: HTTPClient, _ transport: RemoteTransport,
        _ adjust: (inout S3ObjectStore.Configuration) -> Void = { _ in }
    ) async throws -> S3ObjectStore {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/\(bucket)")
        request.method = .PUT
        let answer = try await client.execute(request, timeout: .seconds(30))
        #expect(answer.status == .ok)
        _ = try await answer.body.collect(upTo: 1 << 20)
        var configuration = S3ObjectStore.Configuration(
            bucket: bucket, region: "us-east-1", credentials: testCredentials,
            endpoint: RemoteEndpoint(isSecure: false, host: "127.0.0.1", port: port))
        adjust(&configuration)
        return try S3ObjectStore(configuration: configuration, transport: transport)
    }
}
