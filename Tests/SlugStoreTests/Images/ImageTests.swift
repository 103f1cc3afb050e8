import Foundation
import SlugStoreTesting
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import SlugStore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite struct ImageTests {
    static func tree(application: String = "one", dependencies: String = "left-pad") -> TestTree {
        var random = SeededGenerator(seed: 1)
        return TestTree([
            "bin/web": .file("#!/bin/sh\n", executable: true), "server.js": .file(application),
            "node_modules/big/index.js": .file(random.bytes(300_000)),
            "node_modules/name": .file(dependencies), "current": .link("bin"),
        ])
    }

    static let metadata = SlugMetadata(
        processTypes: ["web": "bin/web --port 80", "worker": "node worker.js | tee log"], buildpacks: ["nodejs"],
        labels: ["commit": "1a2b3c4d", "org.opencontainers.image.title": "shop", "io.buildpacks.stack.id": "any"])

    private func configuration(
        _ name: String, _ layout: ImageLayout
    ) async throws -> ImageConfiguration {
        let contents = try await layout.contents(of: try await layout.image(named: name))
        let config = try #require(contents.first { $0.mediaType == ImageMediaType.config })
        return try ImageDocument.decode(
            ImageConfiguration.self, try layout.path(of: config).contents(), "The configuration")
    }

    @Test func `equal slugs are equal images, and releases share layers`() async throws {
        try await withTemporaryDirectory { directory in
            var reports: [SlugImage.Report] = []
            let trees = [Self.tree(), Self.tree(), Self.tree(application: "two"), Self.tree(dependencies: "right-pad")]
            for (number, tree) in trees.enumerated() {
                try tree.write(to: directory.appending("tree\(number)"), reversed: number == 1)
                // The first two apart, the others on top of the first.
                let layout = ImageLayout(directory: directory.appending(number == 1 ? "other" : "layout"))
                reports.append(
                    try await SlugImage().write(
                        directory.appending("tree\(number)"), metadata: Self.metadata, into: layout))
            }
            #expect(reports[0] == reports[1])
            #expect(reports.map(\.newLayers) == [2, 2, 1, 1])
            #expect(reports[0].layers[0] == reports[2].layers[0])
            #expect(reports[0].layers[1] == reports[3].layers[1])
            #expect(reports[0].images.keys.sorted() == ["latest", "web", "worker"])
            #expect(reports[0].images["latest"] == reports[0].images["web"])
            #expect(try names(in: directory.appending("layout")) == ["blobs", "index.json", "oci-layout"])
            for name in try names(in: directory.appending("layout/blobs/sha256")) {
                let bytes = try directory.appending("layout/blobs/sha256").appending(name).contents()
                #expect("\(ChunkID(of: bytes))" == name)
            }
        }
    }

    @Test func `a configuration says how each process type is run`() async throws {
        try await withTemporaryDirectory { directory in
            try Self.tree().write(to: directory.appending("tree"))
            let layout = ImageLayout(directory: directory.appending("layout"))
            var image = SlugImage()
            image.environment = ["MODE": "production"]
            image.labels = ["team": "shop"]
            let repository = makeRepository(directory.appending("slugs"))
            let slug = try await repository.put(directory.appending("tree"), metadata: Self.metadata).id
            _ = try await repository.exportImage(slug, as: image, into: layout)
            let web = try await self.configuration("web", layout)
            #expect(web.config?.entryPoint == ["/app/bin/web", "--port", "80"])
            #expect(web.config?.workingDirectory == "/app")
            #expect(web.config?.exposedPorts == ["8080/tcp": [:]])
            #expect(web.config?.user == "1000:1000")
            #expect(
                web.config?.environment == [
                    "HOME=/app", "MODE=production", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "PORT=8080",
                ])
            #expect(
                web.config?.labels == [
                    "io.slipway.slug": "\(slug)", "io.slipway.process-type": "web", "io.slipway.buildpacks": "nodejs",
                    "org.opencontainers.image.title": "shop", "org.opencontainers.image.revision": "1a2b3c4d",
                    "io.buildpacks.stack.id": "any", "team": "shop",
                    "io.slipway.metadata": String(decoding: try ImageDocument.encode(Self.metadata), as: UTF8.self),
                ])
            #expect(web.history?.map(\.comment) == ["app/node_modules", "the application"])
            let worker = try await self.configuration("worker", layout)
            #expect(worker.config?.entryPoint?.first == "/bin/sh")
            #expect(worker.config?.entryPoint?.last == "node worker.js | tee log")
            #expect(worker.config?.exposedPorts == nil)
            #expect(worker.rootfs.layers == web.rootfs.layers)
        }
    }

    @Test func `an image on a base has the layers and settings of both`() async throws {
        try await withTemporaryDirectory { directory in
            try TestTree(["bin/sh": .file("shell", executable: true)]).write(to: directory.appending("below"))
            try Self.tree().write(to: directory.appending("tree"))
            let base = ImageLayout(directory: directory.appending("base"))
            var below = SlugImage()
            below.environment = ["PATH": "/base/bin", "LANG": "C.UTF-8"]
            let first = try await below.write(directory.appending("below"), metadata: SlugMetadata(), into: base)
            let missing = await slugStoreError { () throws(SlugStoreError) in
                _ = try await base.image(named: "missing")
            }
            #expect(missing?.code == .notFound)
            #expect(first.images.keys.sorted() == ["latest"])
            let layout = ImageLayout(directory: directory.appending("layout"))
            let image = SlugImage(base: ImageBase(layout: base.directory))
            let second = try await image.write(directory.appending("tree"), metadata: Self.metadata, into: layout)
            #expect(second.layers.first == first.layers.first)
            #expect(second.layers.count == 4)
            let web = try await self.configuration("web", layout)
            #expect(web.rootfs.layers.count == 4)
            #expect(web.history?.count == 4)
            // What the base has where the application goes is not the application's.
            let (imported, repository) = try await layout.imported("web", in: directory)
            let tree = try await repository.materialise(imported.slug.id)
            #expect(try TestTree(readingAt: tree.path).entries["bin/sh"] == nil)
            #expect(web.config?.environment?.contains("PATH=/base/bin") == true)
            #expect(web.config?.environment?.contains("LANG=C.UTF-8") == true)
            // Of a base that is damaged, nothing is made.
            try base.path(of: try #require(first.layers.first)).write([1, 2, 3])
            let other = ImageLayout(directory: directory.appending("other"))
            let damaged = await slugStoreError { () throws(SlugStoreError) in
                _ = try await image.write(directory.appending("tree"), metadata: Self.metadata, into: other)
            }
            #expect(damaged?.code == .corrupted)
            #expect(try names(in: other.directory) == ["blobs", "oci-layout"])
            #expect(try names(in: other.blobs).isEmpty)
        }
    }

    @Test func `a file that a layer could not tell from a whiteout is refused`() async throws {
        try await withTemporaryDirectory { directory in
            try TestTree(["lib/.wh.x": .file(""), "lib/x": .file("")]).write(to: directory.appending("tree"))
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try await SlugImage().write(
                    directory.appending("tree"), metadata: SlugMetadata(),
                    into: ImageLayout(directory: directory.appending("layout")))
            }
            #expect(error?.code == .unsupportedEntry)
            #expect(error?.message.contains("lib/.wh.x") == true)
        }
    }

    @Test func `content that is damaged in a layout counts as missing`() async throws {
        try await withTemporaryDirectory { directory in
            try Self.tree().write(to: directory.appending("tree"))
            let layout = ImageLayout(directory: directory.appending("layout"))
            let report = try await SlugImage().write(
                directory.appending("tree"), metadata: Self.metadata, into: layout)
            let path = try layout.path(of: report.layers[0])
            let bytes = try path.contents()
            var damaged = bytes
            damaged[1000] ^= 1
            try path.write(damaged)
            #expect(try await !layout.contains(report.layers[0]))
            let again = try await SlugImage().write(directory.appending("tree"), metadata: Self.metadata, into: layout)
            #expect(again.newLayers == 1)
            #expect(try path.contents() == bytes)
        }
    }

    @Test func `a copy asks for what is missing, each before what refers to it`() async throws {
        try await withTemporaryDirectory { directory in
            try Self.tree().write(to: directory.appending("tree"))
            let layout = ImageLayout(directory: directory.appending("layout"))
            let report = try await SlugImage().write(
                directory.appending("tree"), metadata: Self.metadata, into: layout)
            let memory = MemoryStore()
            let copied = try await layout.copy("web", to: memory, as: "v1")
            #expect(
                copied.map(\.mediaType) == [
                    ImageMediaType.layer, ImageMediaType.layer, ImageMediaType.config, ImageMediaType.manifest,
                ])
            #expect(memory.names == ["v1": report.images["web"]?.digest])
            #expect(try await layout.copy("worker", to: memory).count == 2)
            #expect(try await layout.copy("worker", to: memory).isEmpty)
            let copy = ImageLayout(directory: directory.appending("copy"))
            _ = try await layout.copy("web", to: copy)
            #expect(try await copy.image(named: "web").digest == report.images["web"]?.digest)
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `layers are copied at the same time, and what refers to them comes after`() async throws {
        try await withTemporaryDirectory { directory in
            try Self.tree().write(to: directory.appending("tree"))
            let layout = ImageLayout(directory: directory.appending("layout"))
            let report = try await SlugImage().write(
                directory.appending("tree"), metadata: Self.metadata, into: layout)
            let store = MeetingStore(expecting: report.layers.count)
            let reports = Mutex<[ImageProgress]>([])
            let copied = try await layout.copy("web", to: store, layersAtOnce: .max) { progress in
                reports.withLock { $0.append(progress) }
            }
            #expect(store.order.prefix(2).allSatisfy { $0 == ImageMediaType.layer })
            #expect(store.order.suffix(2) == [ImageMediaType.config, ImageMediaType.manifest])
            #expect(copied.prefix(2).map(\.digest) == report.layers.map(\.digest))
            let progress = reports.withLock { $0 }
            #expect(progress.last.map { $0.bytesMoved } == progress.last?.bytes)
            #expect(zip(progress, progress.dropFirst()).allSatisfy { $0.bytesMoved <= $1.bytesMoved })
        }
    }

    /// A registry that takes no layer before all are on their way.
    private final class MeetingStore: ImageStore {
        private let state = Mutex<(order: [String], missing: Int)>(([], 0))
        private let all: AsyncStream<Void>
        private let arrival: AsyncStream<Void>.Continuation

        init(expecting count: Int) {
            (self.all, self.arrival) = AsyncStream.makeStream()
            self.state.withLock { $0.missing = count }
        }

        /// The kinds of contents as they came.
        var order: [String] { self.state.withLock { $0.order } }

        func contains(_ content: ImageDescriptor) -> Bool { false }

        func add(_ content: ImageDescriptor, from file: FilePath, progress: (@Sendable (Int64) -> Void)?) async {
            let isLast = self.state.withLock { state in
                state.order.append(content.mediaType)
                if content.mediaType == ImageMediaType.layer { state.missing -= 1 }
                return state.missing == 0
            }
            progress?(content.size / 2)
            if isLast { self.arrival.finish() }
            for await _ in self.all {}
            progress?(content.size)
        }

        func name(_ manifest: ImageDescriptor, as name: String) {}
    }

    /// A registry that only remembers.
    private final class MemoryStore: ImageStore {
        private let state = Mutex<(contents: Set<String>, names: [String: String])>(([], [:]))

        var names: [String: String] { self.state.withLock { $0.names } }

        func contains(_ content: ImageDescriptor) -> Bool {
            self.state.withLock { $0.contents.contains(content.digest) }
        }

        func add(_ content: ImageDescriptor, from file: FilePath, progress: (@Sendable (Int64) -> Void)?) {
            progress?(content.size)
            self.state.withLock { _ = $0.contents.insert(content.digest) }
        }

        func name(_ manifest: ImageDescriptor, as name: String) {
            self.state.withLock { $0.names[name] = manifest.digest }
        }
    }

    // MARK: With other programs

    @Test(.enabled(if: Program.has("skopeo") && Program.has("umoci"), "skopeo or umoci is not installed"))
    func `others read what is made`() async throws {
        try await withTemporaryDirectory { directory in
            try Self.tree().write(to: directory.appending("tree"))
            let layout = ImageLayout(directory: directory.appending("layout"))
            _ = try await SlugImage().write(directory.appending("tree"), metadata: Self.metadata, into: layout)
            let inspected = try Program.run("skopeo", ["inspect", "oci:layout:web"], in: directory)
            #expect(inspected.contains("\"io.slipway.process-type\": \"web\""))
            #expect(inspected.contains("\"PORT=8080\""))
            try Program.run(
                "skopeo", ["--insecure-policy", "copy", "oci:layout:worker", "dir:copy"], in: directory)
            // A base that skopeo has written is one.
            try Program.run(
                "skopeo", ["--insecure-policy", "copy", "oci:layout:latest", "oci:base:latest"], in: directory)
            _ = try await SlugImage(base: ImageBase(layout: directory.appending("base"))).write(
                directory.appending("tree"), metadata: Self.metadata,
                into: ImageLayout(directory: directory.appending("second")))
            try Program.run(
                "umoci", ["unpack"] + (geteuid() == 0 ? [] : ["--rootless"]) + ["--image", "layout:web", "bundle"],
                in: directory)
            #expect(try TestTree(readingAt: directory.appending("bundle/rootfs/app")) == Self.tree())
        }
    }

    @Test(
        .enabled(
            if: ["umoci", "runc"].allSatisfy(Program.has) && Program.isStatic("busybox") && geteuid() == 0,
            "umoci, runc or a static busybox is not installed, or this user is not root"))
    func `a container runs the application, on nothing but itself`() async throws {
        try await withTemporaryDirectory { directory in
            let tree = directory.appending("tree")
            try TestTree(["text": .file("hello from the tree\n"), ".profile.d/a.sh": .file("export GREETING=hi\n")])
                .write(
                    to: tree)
            // Linked statically: the image has nothing else.
            try tree.appending("busybox").write(try FilePath(try #require(Program.path("busybox"))).contents())
            #expect(chmod(tree.appending("busybox").string, 0o755) == 0)
            var image = SlugImage()
            image.entryPoint = { ["/app/busybox", "sh", "-c", $0] }
            let metadata = SlugMetadata(processTypes: [
                "web": "/app/busybox cat text; /app/busybox pwd; echo port $PORT; /app/busybox id -u"
            ])
            let layout = ImageLayout(directory: directory.appending("layout"))
            _ = try await image.write(tree, metadata: metadata, into: layout)
            try Program.run("umoci", ["unpack", "--image", "layout:web", "bundle"], in: directory)
            let file = directory.appending("bundle/config.json")
            var config = try #require(
                try JSONSerialization.jsonObject(with: Data(try file.contents())) as? [String: Any])
            var process = try #require(config["process"] as? [String: Any])
            process["terminal"] = false
            config["process"] = process
            try file.write(Array(try JSONSerialization.data(withJSONObject: config)))
            let output = try Program.run(
                "runc", ["--root", directory.appending("runc").string, "run", "slug-\(UUID().uuidString)"],
                in: directory.appending("bundle"))
            #expect(output == "hello from the tree\n/app\nport 8080\n1000\n")
        }
    }
}
