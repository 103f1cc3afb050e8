#if os(Linux)
    import Foundation
    import SlugStore
    import SlugStoreTesting
    import Subprocess
    import SystemPackage
    import TestSupport
    import Testing

    /// The program, which is built beside the tests.
    @Suite struct SlugToolTests {
        private static var program: FilePath {
            get throws {
                let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
                return FilePath(own).removingLastComponent().appending("slug-tool")
            }
        }

        private static func slugTool(
            _ arguments: [String], in directory: FilePath, _ environment: [Environment.Key: String?] = [:]
        ) async throws -> (status: TerminationStatus, output: String, errors: String) {
            let result = try await run(
                .path(try self.program), arguments: Arguments(arguments),
                environment: .inherit.updating(environment), workingDirectory: directory,
                output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
            return (result.terminationStatus, result.standardOutput, result.standardError)
        }

        @Test(arguments: ["verify", "list", "gc"])
        func `a place without a repository is no empty one`(command: String) async throws {
            try await withTemporaryDirectory { directory in
                for place in ["missing", "."] {
                    let result = try await Self.slugTool([place, command], in: directory)
                    #expect(result.status == .exited(1))
                    #expect(result.output == "")
                    #expect(result.errors.contains("not-found: \(place) is no repository"), "\(result.errors)")
                    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.string).isEmpty)
                }
                try TestTree(["tree/a": .file("1")]).write(to: directory)
                #expect(try await Self.slugTool(["new", "put", "tree"], in: directory).status == .exited(0))
                #expect(try await Self.slugTool(["new", command], in: directory).status == .exited(0))
            }
        }

        @Test func `what a command that was killed has left, the next removes`() async throws {
            let registry = MemoryRegistry()
            try await ScriptedServer.with({ registry.answer($0) }) { server in
                try await withTemporaryDirectory { directory in
                    try TestTree(["tree/a": .file("1"), "work/slipway-work-1-1/tree/a": .file("1")])
                        .write(to: directory)
                    let (work, environment) = (directory.appending("work"), directory.appending("work").string)
                    try FileManager.default.setAttributes(
                        [.modificationDate: Date(timeIntervalSinceNow: -7200)],
                        ofItemAtPath: work.appending("slipway-work-1-1").string)
                    let slug = try await Self.slugTool(["new", "put", "tree"], in: directory).output.prefix(71)
                    let push = try await Self.slugTool(
                        ["new", "push", String(slug), "oci://127.0.0.1:\(server.port)/shop:v1"], in: directory,
                        ["TMPDIR": environment])
                    #expect(push.status == .exited(0), "\(push.errors)")
                    #expect(try FileManager.default.contentsOfDirectory(atPath: work.string).isEmpty)
                    #expect(registry.content.manifests["shop:v1"] != nil)
                }
            }
        }

        @Test(.timeLimit(.minutes(1)), arguments: [Signal.interrupt, .terminate])
        func `a command that is asked to end cleans up`(signal: Signal) async throws {
            let (asked, feed) = AsyncStream<Void>.makeStream()
            try await ScriptedServer.with({ _ in
                feed.yield()
                return .init(hangs: true)
            }) { server in
                try await withTemporaryDirectory { directory in
                    let work = directory.appending("work")
                    try FileManager.default.createDirectory(
                        atPath: work.string, withIntermediateDirectories: true)
                    let result = try await run(
                        .path(try Self.program), arguments: ["new", "pull", "oci://127.0.0.1:\(server.port)/shop:v1"],
                        environment: .inherit.updating(["TMPDIR": work.string]), workingDirectory: directory,
                        input: .none, output: .discarded, error: .string(limit: 1 << 20)
                    ) { execution in
                        for await _ in asked { break }
                        #expect(try FileManager.default.contentsOfDirectory(atPath: work.string).count == 1)
                        try execution.send(signal: signal)
                    }
                    #expect(result.terminationStatus == .exited(signal == .interrupt ? 130 : 143))
                    #expect(result.standardError == "")
                    #expect(try FileManager.default.contentsOfDirectory(atPath: work.string).isEmpty)
                }
            }
        }

        @Test func `a check of the remote tells of all slugs`() async throws {
            let registry = MemoryRegistry()
            try await ScriptedServer.with({ request in
                guard request.uri.contains("/tags/list") else { return registry.answer(request) }
                let tags = registry.content.manifests.keys.map { $0.dropFirst("slugs:".count) }
                    .filter { !$0.hasPrefix("sha256:") }
                return .init(body: Array("{\"tags\":[\(tags.map { "\"\($0)\"" }.joined(separator: ","))]}".utf8))
            }) { server in
                try await withTemporaryDirectory { directory in
                    try TestTree(["1/a": .file("1"), "2/a": .file("2")]).write(to: directory)
                    let place = "oci://127.0.0.1:\(server.port)/slugs"
                    var slugs: [String] = []
                    for tree in ["1", "2"] {
                        let put = try await Self.slugTool([place, "put", tree], in: directory)
                        #expect(put.status == .exited(0), "\(put.errors)")
                        slugs.append(String(put.output.prefix(71)))
                    }
                    let sound = try await Self.slugTool([place, "verify"], in: directory)
                    #expect(sound.status == .exited(0), "\(sound.output) \(sound.errors)")
                    // The registry has lost what is in its packs.
                    registry.change { state in
                        let packs = state.manifests.filter { $0.key.hasPrefix("slugs:packs_") }.map {
                            String(decoding: $0.value.bytes, as: UTF8.self)
                        }
                        for key in state.blobs.keys
                        where packs.contains(where: { $0.contains(key.dropFirst("slugs@".count)) }) {
                            state.blobs[key] = nil
                        }
                    }
                    let result = try await Self.slugTool([place, "verify"], in: directory)
                    #expect(result.status == .exited(1))
                    for slug in slugs { #expect(result.output.contains("\(slug) not-found"), "\(result.output)") }
                    #expect(result.output.contains("2 slugs of the remote were read"), "\(result.errors)")
                }
            }
        }
    }
#endif
