import Foundation
import SlugStore
import SlugStoreRemotes
import SlugStoreTesting
import Subprocess
import Synchronization
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Images in the reference implementation of a registry, with what other programs make of them.
@Suite(.enabled(if: RegistryServer.isInstalled, "docker-registry is not installed"), .serialized)
struct RegistryImageTests {
    private static func path(_ program: String) -> String? {
        ["/usr/bin", "/usr/sbin", "/bin"].map { "\($0)/\(program)" }.first(where: FileManager.default.isExecutableFile)
    }

    @discardableResult
    private static func run(_ program: String, _ arguments: [String], in directory: FilePath) async throws -> String {
        let result = try await Subprocess.run(
            .path(FilePath(try #require(self.path(program)))), arguments: Arguments(arguments),
            workingDirectory: directory, output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
        guard result.terminationStatus.isSuccess else {
            throw Violation("\(program): \(result.terminationStatus) \(result.standardError)")
        }
        return result.standardOutput
    }

    @Test func `an image comes back as the same slug, and the next release sends what is new`() async throws {
        try await withTemporaryDirectory { directory in
            try await RegistryServer.with(in: directory) { port in
                try await withClient { client in
                    // Small chunks, so that there are several.
                    let store = try makeImageStore(
                        port, client: makeTransport(client, pausing: 0.2), chunkBytes: 1 << 20)
                    var sample = try await SampleSlug(in: directory, dependencyBytes: 3 << 20)
                    let first = Mutex(ImageProgress())
                    _ = try await sample.layout.copy("web", to: store, as: "v1") { progress in
                        first.withLock { $0 = progress }
                    }
                    let sent = first.withLock { $0 }
                    #expect(sent.bytesPresent == 0)
                    #expect(sent.bytesMoved == sent.bytes)
                    #expect(sent.bytes > 3 << 20)
                    let report = try await sample.fetched("v1", from: store, in: directory.appending("other"))
                    #expect(report.slug.id == sample.id)
                    #expect(report.image.digest == sample.report.images["web"]?.digest)

                    try await sample.release("two", dependencyBytes: 3 << 20)
                    let second = Mutex(ImageProgress())
                    _ = try await sample.layout.copy("web", to: store, as: "v2") { progress in
                        second.withLock { $0 = progress }
                    }
                    let again = second.withLock { $0 }
                    #expect(again.bytesPresent > 3 << 20)
                    #expect(again.bytesMoved < 100_000)
                    // The one layer that is new is the one that is fetched.
                    let next = try await sample.fetched("v2", from: store, in: directory.appending("other"))
                    #expect(next.slug.id == sample.id)
                    let same = try await sample.layout.copy("web", to: store, as: "v2")
                    #expect(same.isEmpty)
                    // By digest, whatever the tags say.
                    let digest = try #require(sample.report.images["worker"]?.digest)
                    _ = try await sample.layout.copy("worker", to: store, as: "v2")
                    #expect(
                        try await sample.fetched(digest, from: store, in: directory.appending("third")).slug.id
                            == sample.id)
                    let other = try makeImageStore(port, "copy", client: makeTransport(client), mountableFrom: ["shop"])
                    let mounted = Mutex(ImageProgress())
                    _ = try await sample.layout.copy("web", to: other, as: "v2") { progress in
                        mounted.withLock { $0 = progress }
                    }
                    // The manifest alone is sent.
                    #expect(mounted.withLock { $0.bytesMoved } < 10_000)
                }
            }
        }
    }

    @Test func `a registry that dies in the middle has no image, and takes it when it is back`() async throws {
        try await withTemporaryDirectory { directory in
            let sample = try await SampleSlug(in: directory, dependencyBytes: 8 << 20)
            try await withClient { client in
                let transport = makeTransport(client) { $0.attempts = 1 }
                let (moved, movement) = AsyncStream.makeStream(of: Void.self)
                let pushing = try await RegistryServer.with(in: directory) { port in
                    let store = try makeImageStore(port, client: transport, chunkBytes: 1 << 20)
                    let task = Task {
                        await slugStoreError { () throws(SlugStoreError) in
                            _ = try await sample.layout.copy("web", to: store, as: "v1") { progress in
                                if progress.bytesMoved > 2 << 20 { movement.finish() }
                            }
                        }
                    }
                    for await _ in moved {}
                    return task
                }
                #expect(await pushing.value?.code == .remoteUnavailable)
                try await RegistryServer.with(in: directory) { port in
                    let store = try makeImageStore(port, client: transport, chunkBytes: 1 << 20)
                    let missing = await slugStoreError { () throws(SlugStoreError) in
                        _ = try await sample.fetched("v1", from: store, in: directory.appending("none"))
                    }
                    #expect(missing?.code == .notFound)
                    _ = try await sample.layout.copy("web", to: store, as: "v1")
                    let report = try await sample.fetched("v1", from: store, in: directory.appending("other"))
                    #expect(report.slug.id == sample.id)
                }
            }
        }
    }

    @Test(.enabled(if: Self.path("skopeo") != nil, "skopeo is not installed"))
    func `skopeo inspects and copies what is sent, and what it has sent is imported`() async throws {
        try await withTemporaryDirectory { directory in
            try await RegistryServer.with(in: directory) { port in
                try await withClient { client in
                    let store = try makeImageStore(port, client: makeTransport(client, pausing: 0.2))
                    let sample = try await SampleSlug(in: directory)
                    _ = try await sample.layout.copy("web", to: store, as: "v1")
                    let place = "docker://127.0.0.1:\(port)/shop"
                    let inspected = try await Self.run(
                        "skopeo", ["inspect", "--tls-verify=false", "\(place):v1"], in: directory)
                    #expect(inspected.contains("\"io.slipway.slug\": \"\(sample.id)\""))
                    try await Self.run(
                        "skopeo",
                        [
                            "--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false",
                            "--format=v2s2", "\(place):v1", "\(place):docker",
                        ], in: directory)
                    // With Docker's names for everything, it is the same slug.
                    let report = try await sample.fetched("docker", from: store, in: directory.appending("docker"))
                    #expect(report.slug.id == sample.id)
                    #expect(report.image.mediaType.contains("docker"))
                }
            }
        }
    }

    @Test(
        .enabled(
            if: ["skopeo", "umoci", "runc", "busybox"].allSatisfy { Self.path($0) != nil } && geteuid() == 0,
            "skopeo, umoci, runc or busybox is not installed, or this user is not root"))
    func `what is fetched by others runs, by process type`() async throws {
        try await withTemporaryDirectory { directory in
            try await RegistryServer.with(in: directory) { port in
                try await withClient { client in
                    let tree = directory.appending("tree")
                    try TestTree(["text": .file("hello\n")]).write(to: tree)
                    let busybox = try #require(Self.path("busybox").flatMap(FileManager.default.contents))
                    guard busybox.prefix(4096).range(of: Data("/ld-linux".utf8)) == nil else { return }
                    #expect(
                        FileManager.default.createFile(
                            atPath: tree.appending("busybox").string, contents: busybox,
                            attributes: [.posixPermissions: 0o755]))
                    let layout = ImageLayout(directory: directory.appending("images"))
                    let metadata = SlugMetadata(processTypes: [
                        "web": "./busybox cat text", "worker": "./busybox echo I work",
                    ])
                    _ = try await SlugImage().write(tree, metadata: metadata, into: layout)
                    let store = try makeImageStore(port, client: makeTransport(client, pausing: 0.2))
                    for (type, output) in [("web", "hello\n"), ("worker", "I work\n")] {
                        _ = try await layout.copy(type, to: store, as: "v1-\(type)")
                        try await Self.run(
                            "skopeo",
                            [
                                "--insecure-policy", "copy", "--src-tls-verify=false",
                                "docker://127.0.0.1:\(port)/shop:v1-\(type)", "oci:pulled:\(type)",
                            ], in: directory)
                        try await Self.run(
                            "umoci", ["unpack", "--image", "pulled:\(type)", "bundle-\(type)"], in: directory)
                        let file = directory.appending("bundle-\(type)/config.json")
                        let text = try String(contentsOfFile: file.string, encoding: .utf8)
                        try text.replacing("\"terminal\": true", with: "\"terminal\": false")
                            .write(toFile: file.string, atomically: true, encoding: .utf8)
                        let said = try await Self.run(
                            "runc",
                            ["--root", directory.appending("runc").string, "run", "image-\(UUID().uuidString)"],
                            in: directory.appending("bundle-\(type)"))
                        #expect(said == output)
                    }
                }
            }
        }
    }
}
