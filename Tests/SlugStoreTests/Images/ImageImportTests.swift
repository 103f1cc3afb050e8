import Foundation
import SlugStoreTesting
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

@Suite struct ImageImportTests {
    /// What an image is imported as.
    private func tree(
        _ image: HandmadeImage, _ options: ImageImport = ImageImport(), in directory: FilePath
    ) async throws -> (tree: TestTree, metadata: SlugMetadata, report: ImageImport.Report) {
        let layout = try await image.write(to: directory.appending("layout"))
        let (report, repository) = try await layout.imported(nil, options, in: directory)
        let tree = try await repository.materialise(report.slug.id)
        #expect(try names(in: directory.appending("work")).isEmpty)
        return (try TestTree(readingAt: tree.path), report.slug.metadata, report)
    }

    @Test(arguments: [0, 1, 2]) func `an image of a slug becomes the same slug again`(seed: UInt64) async throws {
        try await withTemporaryDirectory { directory in
            let tree = seed == 0 ? ImageTests.tree() : TestTree.random(seed: seed, entries: 60)
            try tree.write(to: directory.appending("tree"))
            var metadata = ImageTests.metadata
            metadata.labels["private"] = "for the slug alone"
            let repository = makeRepository(directory.appending("slugs"))
            let slug = try await repository.put(directory.appending("tree"), metadata: metadata).id
            // On a base, which is not part of the slug.
            var base = HandmadeImage()
            base.add(.gzip) { $0.add("bin/sh", mode: 0o4755, content: "shell") }
            let below = try await base.write(to: directory.appending("base"))
            let layout = ImageLayout(directory: directory.appending("layout"))
            for image in [SlugImage(), SlugImage(base: ImageBase(layout: below.directory))] {
                _ = try await repository.exportImage(slug, as: image, into: layout)
                var options = ImageImport()
                options.keepsOutwardLinks = seed != 0
                for name in [nil, "web", "worker"] {
                    let report = try await layout.imported(name, options, in: directory).report
                    #expect(report.slug.id == slug)
                    #expect(report.origin == slug)
                }
            }
        }
    }

    @Test func `an image of a slug that was changed is another slug, and says of which it was`() async throws {
        try await withTemporaryDirectory { directory in
            try ImageTests.tree().write(to: directory.appending("tree"))
            let repository = makeRepository(directory.appending("slugs"))
            let slug = try await repository.put(directory.appending("tree"), metadata: ImageTests.metadata).id
            var image = SlugImage()
            image.carriesMetadata = false
            let layout = ImageLayout(directory: directory.appending("layout"))
            _ = try await repository.exportImage(slug, as: image, into: layout)
            let (report, imported) = try await layout.imported("web", in: directory)
            #expect(report.origin == slug)
            #expect(report.slug.id != slug)
            // What the image says in other ways is taken.
            #expect(report.slug.metadata.processTypes == ["web": "bin/web --port 80"])
            #expect(report.slug.metadata.buildpacks == ["nodejs"])
            #expect(report.slug.metadata.labels["org.opencontainers.image.title"] == "shop")
            #expect(try TestTree(readingAt: try await imported.materialise(report.slug.id).path) == ImageTests.tree())
            let worker = try await layout.imported("worker", in: directory).report
            #expect(worker.slug.metadata.processTypes == ["worker": "node worker.js | tee log"])
        }
    }

    @Test func `layers are applied in order, whatever their compression`() async throws {
        try await withTemporaryDirectory { directory in
            var image = HandmadeImage()
            image.add(.plain) { tar in
                tar.add("kept", content: "0")
                tar.add("gone", content: "0")
                tar.add("changed", mode: 0o755, content: "0")
                tar.add("emptied/a/b", content: "0")
                tar.add("dir/under", content: "0")
                tar.add("file", content: "0")
                tar.addLink("link", to: "kept")
                tar.addHardLink("same", to: "changed")
            }
            image.add(.gzip) { tar in
                tar.add("emptied/new", content: "1")
                tar.add("emptied/.wh..wh..opq")
                tar.add(".wh.gone")
                tar.add(".wh.missing")
                tar.add("changed", content: "1")
                tar.add("dir", content: "a file in place of a directory")
                tar.addDirectory("file")
                tar.add("file/under", content: "1")
                tar.add("link", content: "a file in place of a link")
            }
            image.add(.zstd) { tar in
                tar.add("again/x", content: "2")
                // After what it must not remove.
                tar.add(".wh.again")
                tar.addHardLink("other", to: "kept")
                tar.add("dir/.wh.nothing")
            }
            let (tree, _, report) = try await self.tree(image, in: directory)
            #expect(
                tree
                    == TestTree([
                        "kept": .file("0"), "changed": .file("1"), "same": .file("0", executable: true),
                        "emptied/new": .file("1"), "dir": .file("a file in place of a directory"),
                        "file/under": .file("1"), "link": .file("a file in place of a link"), "again/x": .file("2"),
                        "other": .file("0"),
                    ]))
            #expect(report.contents.files == tree.files)
        }
    }

    @Test func `names from the root, as some builders write them, are names like others`() async throws {
        try await withTemporaryDirectory { directory in
            var image = HandmadeImage()
            image.add { tar in
                tar.addDirectory("/app")
                tar.add("/app/run", mode: 0o755, content: "#!")
                tar.add("//app/gone", content: "0")
            }
            image.add { tar in
                tar.addHardLink("/app/same", to: "/app/run")
                tar.add("/app/.wh.gone")
                tar.addLink("/app/link", to: "run")
            }
            let (tree, _, _) = try await self.tree(image, ImageImport(path: "/app"), in: directory)
            let run = TestTree.Entry.file("#!", executable: true)
            #expect(tree == TestTree(["run": run, "same": run, "link": .link("run")]))
        }
    }

    @Test func `only the directory that is wanted is taken, and nothing else is judged`() async throws {
        try await withTemporaryDirectory { directory in
            var image = HandmadeImage()
            image.add { tar in
                tar.add("bin/su", mode: 0o4755, content: "su")
                tar.add("dev/sda", type: "4")
                tar.addLink("etc/mtab", to: "/proc/mounts")
                tar.addDirectory("srv/app")
                tar.add("srv/app/old", content: "0")
                tar.add("srv/apple", content: "not it")
            }
            image.add { tar in
                tar.add(".wh.srv")
                tar.addDirectory("srv/app")
                tar.add("srv/app/main", content: "1")
                tar.addLink("srv/app/self", to: "main")
            }
            let (tree, metadata, _) = try await self.tree(image, ImageImport(path: "/srv/app/"), in: directory)
            #expect(tree == TestTree(["main": .file("1"), "self": .link("main")]))
            #expect(metadata == SlugMetadata())
        }
    }

    @Test(arguments: [
        ("/missing", "no directory /missing"), ("/app", "is a link to srv/app: name that"),
        ("/file", "not a directory"),
        ("/gone", "no directory /gone"), ("/../etc", "no directory of an image"), ("/app/sub", "/app is a link"),
    ])
    func `a directory that is not there is said to be none`(path: String, says: String) async throws {
        try await withTemporaryDirectory { directory in
            var image = HandmadeImage()
            image.add { tar in
                tar.add("srv/app/x")
                tar.add("gone/x")
                tar.add("app/sub/x")
            }
            image.add { tar in
                tar.addLink("app", to: "srv/app")
                tar.add("file")
                tar.add(".wh.gone")
            }
            let layout = try await image.write(to: directory.appending("layout"))
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try await layout.imported(nil, ImageImport(path: path), in: directory)
            }
            #expect(error?.code == .notFound)
            #expect(error?.message.contains(says) == true, "\(error?.message ?? "nothing")")
        }
    }

    @Test func `links that lead out are refused, or kept if that is asked for`() async throws {
        for target in ["/usr/bin/python3", "../lib"] {
            try await withTemporaryDirectory { directory in
                var image = HandmadeImage()
                image.add { tar in
                    tar.add("app/x", content: "1")
                    tar.addLink("app/out", to: target)
                }
                let layout = try await image.write(to: directory.appending("layout"))
                let error = await slugStoreError { () throws(SlugStoreError) in
                    _ = try await layout.imported(nil, ImageImport(path: "app"), in: directory)
                }
                #expect(error?.code == .unsafeArchive)
                #expect(error?.message.contains("link out") == true)
                var options = ImageImport(path: "app")
                options.keepsOutwardLinks = true
                let (tree, _, _) = try await self.tree(image, options, in: directory)
                #expect(tree == TestTree(["x": .file("1"), "out": .link(target)]))
            }
        }
    }

    // MARK: What the configuration says

    @Test func `what the configuration says is kept where there is a place for it`() async throws {
        try await withTemporaryDirectory { directory in
            var image = HandmadeImage()
            image.mediaType = "application/vnd.docker.distribution.manifest.v2+json"
            image.add(.gzip) { tar in
                tar.add("srv/bin/run", mode: 0o755, content: "#!")
                tar.addDirectory("srv/work")
            }
            image.layers[0].mediaType = "application/vnd.docker.image.rootfs.diff.tar.gzip"
            image.process.entryPoint = ["/srv/bin/run"]
            image.process.command = ["--name", "it's me", "$HOME"]
            image.process.environment = ["PATH=/bin", "MODE=a b"]
            image.process.workingDirectory = "/srv/work"
            image.process.user = "app"
            image.process.labels = ["team": "shop"]
            let (_, metadata, _) = try await self.tree(image, ImageImport(path: "/srv"), in: directory)
            #expect(
                metadata
                    == SlugMetadata(
                        processTypes: ["web": "cd work && ../bin/run --name 'it'\\''s me' '$HOME'"],
                        labels: [
                            "team": "shop", "io.slipway.image.environment": #"["PATH=/bin","MODE=a b"]"#,
                            "io.slipway.image.working-directory": "/srv/work", "io.slipway.image.user": "app",
                        ]))
        }
    }

    @Test func `an image of Cloud Native Buildpacks has a process type for each of its processes`() async throws {
        try await withTemporaryDirectory { directory in
            var image = HandmadeImage()
            image.add { tar in
                tar.add("workspace/server", mode: 0o755, content: "#!")
                tar.addDirectory("workspace/jobs")
            }
            image.process.entryPoint = ["/cnb/process/web"]
            image.process.workingDirectory = "/workspace"
            let build = """
                {"bom":null,"buildpacks":[{"id":"example/node","version":"1.2"}],"launcher":{"version":"0.19"},
                 "processes":[{"type":"web","command":["/workspace/server"],"args":["--port","80"],"direct":true},
                  {"type":"shell","command":"echo $A; sleep 1","args":null,"direct":false},
                  {"type":"job","command":["/workspace/server"],"args":["job"],"direct":true,"working-dir":"/workspace/jobs"},
                  {"type":"both","command":"one & two","direct":false,"working-dir":"/workspace/jobs"},
                  {"type":"nothing","command":[],"args":null,"direct":true}]}
                """
            image.process.labels = [
                "io.buildpacks.build.metadata": build, "io.buildpacks.lifecycle.metadata": "{}",
                "io.buildpacks.stack.id": "any",
            ]
            let (_, metadata, report) = try await self.tree(image, ImageImport(path: "/workspace"), in: directory)
            #expect(
                metadata.processTypes == [
                    "web": "./server --port 80", "shell": "echo $A; sleep 1", "job": "cd jobs && ../server job",
                    "both": "cd jobs || exit\none & two",
                ])
            #expect(metadata.buildpacks == ["example/node"])
            #expect(metadata.labels["io.buildpacks.build.metadata"] == build)
            // As an image again it says so, but nothing of layers that it has not.
            let layout = ImageLayout(directory: directory.appending("again"))
            _ = try await makeRepository(directory.appending("imported")).exportImage(
                report.slug.id, as: SlugImage(), into: layout)
            let labels = try layout.resolve("web", for: .current).configuration.config?.labels
            #expect(labels?["io.buildpacks.build.metadata"] == build)
            #expect(labels?["io.buildpacks.stack.id"] == "any")
            #expect(labels?["io.buildpacks.lifecycle.metadata"] == nil)
        }
    }

    // MARK: Which image

    @Test func `of several images, the one for the platform is taken`() async throws {
        try await withTemporaryDirectory { directory in
            let layout = ImageLayout(directory: directory.appending("layout"))
            var manifests: [ImageDescriptor] = []
            for (architecture, variant) in [("amd64", nil), ("arm64", "v8"), ("arm", "v6"), ("arm", "v7")]
                as [(String, String?)]
            {
                var image = HandmadeImage()
                image.platform = ImagePlatform(architecture: architecture)
                image.add { $0.add("for", content: "\(architecture)\(variant ?? "")") }
                try await image.write(to: layout.directory, named: "one")
                var manifest = try await layout.image(named: "one")
                manifest.annotations = nil
                manifest.platform = ImagePlatform(architecture: architecture, variant: variant)
                manifests.append(manifest)
            }
            let index = try layout.store(
                ImageIndex(manifests: manifests), ImageMediaType.index)
            try await layout.name(index, as: "all")
            for (platform, content) in [
                (ImagePlatform(architecture: "amd64"), "amd64"), (ImagePlatform(architecture: "arm64"), "arm64v8"),
                (ImagePlatform(architecture: "arm", variant: "v7"), "armv7"),
            ] {
                var options = ImageImport()
                options.platform = platform
                let (report, repository) = try await layout.imported("all", options, in: directory)
                let tree = try await repository.materialise(report.slug.id)
                #expect(try TestTree(readingAt: tree.path) == TestTree(["for": .file(content)]))
            }
            for platform in [ImagePlatform(architecture: "arm"), ImagePlatform(architecture: "s390x")] {
                var options = ImageImport()
                options.platform = platform
                let error = await slugStoreError { [options] () throws(SlugStoreError) in
                    _ = try await layout.imported("all", options, in: directory)
                }
                #expect(error?.code == .notFound)
                #expect(error?.message.contains("linux/arm64") == true)
            }
        }
    }

    // MARK: With other programs

    @Test(.enabled(if: Program.has("umoci"), "umoci is not installed"))
    func `an image that umoci has built is imported`() async throws {
        try await withTemporaryDirectory { directory in
            let rootless = geteuid() == 0 ? [] : ["--rootless"]
            try Program.run("umoci", ["init", "--layout", "layout"], in: directory)
            try Program.run("umoci", ["new", "--image", "layout:built"], in: directory)
            var expected: [String: TestTree.Entry] = [:]
            for step in 0..<3 {
                try Program.run(
                    "umoci", ["unpack"] + rootless + ["--image", "layout:built", "bundle\(step)"], in: directory)
                let root = directory.appending("bundle\(step)/rootfs")
                if step > 0 {
                    try FileManager.default.removeItem(atPath: root.appending("app/step\(step - 1)").string)
                    expected["app/step\(step - 1)"] = nil
                }
                expected["app/step\(step)/file"] = .file("\(step)")
                expected["app/common"] = .file("of step \(step)", executable: step == 1)
                expected["app/current"] = .link("step\(step)")
                try? FileManager.default.removeItem(atPath: root.appending("app/current").string)
                expected = expected.filter { !$0.key.hasPrefix("app/step\(step - 1)") }
                try TestTree(expected).write(to: root)
                try Program.run(
                    "umoci", ["repack"] + ["--image", "layout:built", "bundle\(step)"], in: directory)
            }
            try Program.run(
                "umoci",
                ["config", "--image", "layout:built", "--config.cmd", "./run", "--config.workingdir", "/app"],
                in: directory)
            let layout = ImageLayout(directory: directory.appending("layout"))
            let (report, repository) = try await layout.imported("built", in: directory)
            let tree = try await repository.materialise(report.slug.id)
            #expect(try TestTree(readingAt: tree.path) == TestTree(expected))
            #expect(report.slug.metadata.processTypes == ["web": "cd app && ./run"])
            #expect(try layout.resolve("built", for: .current).layers.count == 3)
        }
    }
}
