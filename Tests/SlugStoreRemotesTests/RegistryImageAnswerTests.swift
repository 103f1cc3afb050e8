import SlugStore
import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

@testable import SlugStoreRemotes

/// What registries may say and do to images, and what is asked of them.
@Suite struct RegistryImageAnswerTests {
    private static func with(
        _ script: @escaping @Sendable (ScriptedServer.Request, MemoryRegistry) -> ScriptedServer.Answer? = { _, _ in nil
        },
        repository: String = "shop", chunkBytes: Int64 = 64 << 20, credentials: RegistryClient.Credentials? = nil,
        mountableFrom: [String] = [], attempts: Int = 3,
        _ body: (RegistryImageStore, ScriptedServer, MemoryRegistry, FilePath) async throws -> Void
    ) async throws {
        let registry = MemoryRegistry()
        try await ScriptedServer.with({ script($0, registry) ?? registry.answer($0) }) { server in
            try await withClient { client in
                try await withTemporaryDirectory { directory in
                    let store = try makeImageStore(
                        server.port, repository, client: makeTransport(client) { $0.attempts = attempts },
                        chunkBytes: chunkBytes, credentials: credentials, mountableFrom: mountableFrom)
                    try await body(store, server, registry, directory)
                }
            }
        }
    }

    private static func uploads(_ server: ScriptedServer) -> Int {
        server.requests.filter { $0.method == "POST" && $0.uri.contains("/blobs/uploads/") }.count
    }

    // MARK: Sending

    @Test func `a layer that the registry has is not sent, and a manifest comes after all it refers to`() async throws {
        try await Self.with { store, server, registry, directory in
            var sample = try await SampleSlug(in: directory)
            _ = try await sample.layout.copy("web", to: store, as: "v1")
            #expect(Self.uploads(server) == 3)
            let order = server.requests.filter { $0.method == "PUT" }.map { request in
                request.uri.contains("/blobs/") ? "blob" : request.uri.contains("sha256") ? "manifest" : "tag"
            }
            #expect(order == ["blob", "blob", "blob", "manifest", "tag"])
            try await sample.release("two")
            let before = server.requests.count
            _ = try await sample.layout.copy("web", to: store, as: "v2")
            let dependencies = sample.report.layers[0].digest
            let asked = server.requests.dropFirst(before)
            #expect(asked.filter { $0.uri.contains(dependencies) }.map(\.method) == ["HEAD"])
            // The application's layer and the configuration.
            #expect(Self.uploads(server) == 5)
            #expect(
                registry.content.manifests.keys.filter { $0.hasPrefix("shop:v") }.sorted() == ["shop:v1", "shop:v2"])
        }
    }

    @Test func `what is cut off on the way is sent again`() async throws {
        // In one request, and in chunks of which one fails or is lost with the registry's memory of the upload.
        for (chunk, forgets) in [(64 << 20, false), (100_000, false), (100_000, true)] as [(Int64, Bool)] {
            let calls = Counter()
            try await Self.with(
                { request, registry in
                    guard request.method == (chunk > 1 << 20 ? "PUT" : "PATCH"), request.body.count > 50_000,
                        calls.next() == 2
                    else { return nil }
                    if forgets { registry.change { $0.uploads = [:] } }
                    return .init(status: 500, promisedBytes: 10, closes: true)
                }, chunkBytes: chunk
            ) { store, server, registry, directory in
                let sample = try await SampleSlug(in: directory, dependencyBytes: 500_000)
                _ = try await sample.layout.copy("web", to: store, as: "v1")
                _ = try await sample.layout.copy("worker", to: store, as: "v1-worker")
                for layer in sample.report.layers {
                    let bytes = try #require(registry.content.blobs["shop@\(layer.digest)"])
                    #expect(MemoryRegistry.digest(bytes) == layer.digest)
                }
            }
        }
    }

    @Test func `what fails for good leaves no tag`() async throws {
        for status in [500, 400, 413] {
            try await Self.with({ request, _ in
                request.method == "PUT" && request.uri.contains("/blobs/") ? .init(status: status) : nil
            }) { store, server, registry, directory in
                let sample = try await SampleSlug(in: directory)
                let error = await slugStoreError { () throws(SlugStoreError) in
                    _ = try await sample.layout.copy("web", to: store, as: "v1", layersAtOnce: 1)
                }
                #expect(error?.code == (status == 500 ? .remoteUnavailable : .remoteRefused))
                #expect(registry.content.manifests.isEmpty)
                #expect(server.requests.filter { $0.method == "PUT" }.count == (status == 500 ? 3 : 1))
            }
        }
    }

    @Test func `a registry that stores something else is found out`() async throws {
        for place in ["/blobs/", "/manifests/"] {
            try await Self.with({ request, _ in
                request.method == "PUT" && request.uri.contains(place)
                    ? .init(status: 201, headers: [("Docker-Content-Digest", "sha256:other")]) : nil
            }) { store, _, registry, directory in
                let sample = try await SampleSlug(in: directory)
                let error = await slugStoreError { () throws(SlugStoreError) in
                    _ = try await sample.layout.copy("web", to: store, as: "v1")
                }
                #expect(error?.code == .invalidAnswer)
            }
        }
    }

    @Test func `a layer of another repository is mounted, with a token that allows it`() async throws {
        let credentials = RegistryClient.Credentials(user: "me", password: "secret")
        try await Self.with(
            { request, registry in
                let host = request.header("Host") ?? ""
                if request.uri.hasPrefix("/token") {
                    let both = request.uri.contains("repository%3Abase%3Apull")
                    return .init(body: Array("{\"token\":\"\(both ? "both" : "one")\",\"expires_in\":300}".utf8))
                }
                let token = request.header("Authorization") ?? ""
                if token == "Bearer one", request.uri.contains("mount=") {
                    // Many registries do not ask for another token then: an upload begins in place of the mount.
                    var plain = request
                    plain.uri = "/v2/shop/blobs/uploads/"
                    return registry.answer(plain)
                }
                guard token == "Bearer both" || token == "Bearer one" else {
                    let challenge = "Bearer realm=\"http://\(host)/token\",service=\"s\","
                    return .init(
                        status: 401,
                        headers: [
                            ("WWW-Authenticate", challenge + "scope=\"repository:shop:pull,push repository:evil:pull\"")
                        ])
                }
                return nil
            }, credentials: credentials, mountableFrom: ["nothing", "base"]
        ) { store, server, registry, directory in
            let sample = try await SampleSlug(in: directory)
            let layer = sample.report.layers[0]
            let bytes = try await LocalFile(sample.layout.path(of: layer)).read(0..<layer.size)
            registry.change { $0.blobs["base@\(layer.digest)"] = bytes }
            _ = try await sample.layout.copy("web", to: store, as: "v1")
            #expect(registry.content.blobs["shop@\(layer.digest)"] == bytes)
            #expect(!server.requests.contains { $0.method == "PUT" && $0.uri.contains(layer.digest) })
            // Uploads that began in place of a mount are taken back.
            #expect(registry.content.uploads.isEmpty)
            #expect(!server.requests.contains { $0.uri.hasPrefix("/token") && $0.uri.contains("evil") })
        }
    }

    @Test(arguments: [401, 403])
    func `a blob that may not be mounted is sent, with a token for this repository alone`(status: Int) async throws {
        try await Self.with(
            { request, _ in
                let host = request.header("Host") ?? ""
                if request.uri.hasPrefix("/token") {
                    if request.uri.contains("repository%3Aprivate") { return .init(status: status) }
                    return .init(body: Array("{\"token\":\"one\",\"expires_in\":300}".utf8))
                }
                if request.header("Authorization") == "Bearer one", !request.uri.contains("mount=") { return nil }
                let challenge = "Bearer realm=\"http://\(host)/token\",scope=\"repository:shop:pull,push\""
                return .init(status: 401, headers: [("WWW-Authenticate", challenge)])
            }, credentials: .init(user: "me", password: "secret"), mountableFrom: ["private"]
        ) { store, server, registry, directory in
            let sample = try await SampleSlug(in: directory)
            _ = try await sample.layout.copy("web", to: store, as: "v1", layersAtOnce: 1)
            #expect(registry.content.manifests["shop:v1"] != nil)
            // It is not tried again for each blob.
            #expect(server.requests.filter { $0.uri.contains("mount=") }.count == 1)
            #expect(server.requests.filter { $0.uri.contains("repository%3Aprivate") }.count == 1)
        }
    }

    @Test func `a wrong password is said to be wrong, and whose`() async throws {
        try await Self.with(
            { request, _ in
                request.header("Authorization") == "Basic bWU6c2VjcmV0"
                    ? nil : .init(status: 401, headers: [("WWW-Authenticate", "Basic realm=\"r\"")])
            }, credentials: .init(user: "me", password: "wrong")
        ) { store, server, _, directory in
            let sample = try await SampleSlug(in: directory)
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try await sample.layout.copy("web", to: store, as: "v1", layersAtOnce: 1)
            }
            #expect(error?.code == .unauthorised)
            #expect(error?.message.contains("user me") == true)
            #expect(error?.message.contains("wrong") == false)
            #expect(server.requests.count == 2)
        }
    }

    @Test func `a cancelled push ends`() async throws {
        let (begun, beginning) = AsyncStream.makeStream(of: Void.self)
        try await Self.with({ request, _ in
            guard request.method == "PUT" else { return nil }
            beginning.finish()
            return .init(hangs: true)
        }) { store, _, registry, directory in
            let sample = try await SampleSlug(in: directory)
            let task = Task {
                await slugStoreError { () throws(SlugStoreError) in
                    _ = try await sample.layout.copy("web", to: store, as: "v1")
                }
            }
            for await _ in begun {}
            task.cancel()
            #expect(await task.value?.code == .cancelled)
            #expect(registry.content.manifests.isEmpty)
        }
    }

    // MARK: Fetching

    private static func pushed(
        _ store: RegistryImageStore, _ directory: FilePath, dependencyBytes: Int = 300_000
    ) async throws -> SampleSlug {
        let sample = try await SampleSlug(in: directory, dependencyBytes: dependencyBytes)
        _ = try await sample.layout.copy("web", to: store, as: "v1")
        return sample
    }

    @Test func `what is cut off on the way is fetched from there on`() async throws {
        let calls = Counter()
        try await Self.with({ request, registry in
            guard request.method == "GET", request.uri.contains("/blobs/"), !request.uri.contains("uploads") else {
                return nil
            }
            var answer = registry.answer(request)
            guard answer.body.count > 3 << 20, calls.next() == 1 else { return nil }
            answer.promisedBytes = answer.body.count
            answer.headers = []
            answer.body = Array(answer.body.prefix(3 << 20))
            answer.closes = true
            return answer
        }) { store, server, _, directory in
            let sample = try await Self.pushed(store, directory, dependencyBytes: 6 << 20)
            let report = try await sample.fetched("v1", from: store, in: directory.appending("other"))
            #expect(report.slug.id == sample.id)
            let ranges = server.requests.filter {
                $0.method == "GET" && $0.uri.contains(sample.report.layers[0].digest)
            }
            .map { $0.header("Range") }
            #expect(ranges.count == 2)
            #expect(ranges.first == .some(nil))
            let again = try #require(ranges.last ?? nil)
            #expect(!again.hasPrefix("bytes=0-"))
        }
    }

    @Test func `a blob is fetched in as many pieces as it is cut off into`() async throws {
        try await Self.with({ request, registry in
            guard request.method == "GET", request.uri.contains("/blobs/"), !request.uri.contains("uploads") else {
                return nil
            }
            var answer = registry.answer(request)
            guard answer.body.count > 1 << 20 else { return nil }
            answer.promisedBytes = answer.body.count
            answer.headers.removeAll { $0.0 == "Content-Length" }
            answer.body = Array(answer.body.prefix(2 << 20))
            answer.closes = true
            return answer
        }) { store, server, _, directory in
            let sample = try await Self.pushed(store, directory, dependencyBytes: 16 << 20)
            let report = try await sample.fetched("v1", from: store, in: directory.appending("other"))
            #expect(report.slug.id == sample.id)
            let attempts = server.requests.count {
                $0.method == "GET" && $0.uri.contains(sample.report.layers[0].digest)
            }
            #expect(attempts > store.client.transport.configuration.attempts)
        }
    }

    @Test func `a name that no image can have in a layout is refused before anything is fetched`() async throws {
        try await Self.with { store, server, _, directory in
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try await store.fetch(
                    "v1", into: ImageLayout(directory: directory.appending("layout")), as: "no name")
            }
            #expect(error?.code == .unsupportedEntry)
            #expect(server.requests.isEmpty)
        }
    }

    @Test(arguments: ["other", "short", "long", "empty"])
    func `a blob that is not what its digest says is refused, and not kept`(lie: String) async throws {
        try await Self.with({ request, registry in
            guard request.method == "GET", request.uri.contains("/blobs/sha256") else { return nil }
            var answer = registry.answer(request)
            guard answer.body.count > 100_000 else { return nil }
            answer.headers = []
            switch lie {
            case "other": answer.body[5000] ^= 1
            case "short": answer.body.removeLast()
            case "long": answer.body[0] ^= 1; answer.body += [1, 2, 3]
            default: answer.body = []
            }
            return answer
        }) { store, _, _, directory in
            let sample = try await Self.pushed(store, directory)
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try await sample.fetched("v1", from: store, in: directory.appending("other"))
            }
            #expect(error?.code == .corrupted)
            let layout = ImageLayout(directory: directory.appending("other"))
            #expect(try await !layout.contains(sample.report.layers[0]))
            let missing = await slugStoreError { () throws(SlugStoreError) in _ = try await layout.images() }
            #expect(missing?.code == .notFound)
        }
    }

    @Test func `a manifest that is not what its digest says is refused`() async throws {
        try await Self.with({ request, registry in
            guard request.method == "GET", request.uri.contains("/manifests/sha256") else { return nil }
            var answer = registry.answer(request)
            answer.body += [0x20]
            return answer
        }) { store, _, registry, directory in
            let sample = try await SampleSlug(in: directory)
            let digest = try #require(sample.report.images["web"]?.digest)
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try await sample.layout.copy("web", to: store, as: "v1")
            }
            #expect(error?.code == .corrupted)
            let fetching = await slugStoreError { () throws(SlugStoreError) in
                _ = try await sample.fetched(digest, from: store, in: directory.appending("other"))
            }
            #expect(fetching?.code == .corrupted)
        }
    }

    @Test func `of an index, the image for the platform is fetched`() async throws {
        try await Self.with { store, _, registry, directory in
            let sample = try await Self.pushed(store, directory)
            let web = try #require(sample.report.images["web"])
            func index(_ architecture: String, _ size: Int64) -> [UInt8] {
                Array(
                    """
                    {"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[
                    {"mediaType":"\(web.mediaType)","digest":"sha256:\(String(repeating: "0", count: 64))","size":5,
                     "platform":{"architecture":"unknown","os":"unknown"}},
                    {"mediaType":"\(web.mediaType)","digest":"\(web.digest)","size":\(size),
                     "platform":{"architecture":"\(architecture)","os":"linux"}}]}
                    """.utf8)
            }
            let type = "application/vnd.oci.image.index.v1+json"
            let own = ImagePlatform.current.architecture
            registry.change { state in
                state.manifests["shop:all"] = (type, index(own, web.size))
                state.manifests["shop:lying"] = (type, index(own, web.size + 1))
                state.manifests["shop:foreign"] = (type, index("s390x", web.size))
                state.manifests["shop:two"] = (web.mediaType, index(own, web.size))
            }
            let report = try await sample.fetched("all", from: store, in: directory.appending("other"))
            #expect(report.slug.id == sample.id)
            for (tag, code, says) in [
                ("lying", SlugStoreError.Code.corrupted, "size"), ("foreign", .notFound, "linux/s390x"),
                ("two", .invalidAnswer, "something else by itself"), ("missing", .notFound, "missing"),
                ("../../x", .notFound, "neither a tag nor a digest"),
            ] {
                let error = await slugStoreError { () throws(SlugStoreError) in
                    _ = try await sample.fetched(tag, from: store, in: directory.appending("other"))
                }
                #expect(error?.code == code)
                #expect(error?.message.contains(says) == true, "\(error?.message ?? "nothing")")
            }
        }
    }

    @Test func `an image that is too large is refused before it is fetched`() async throws {
        try await Self.with { store, server, _, directory in
            let sample = try await Self.pushed(store, directory)
            for adjust in [
                { $0.maxContentBytes = 200_000 }, { $0.maxImageBytes = 200_000 }, { $0.maxContents = 2 },
            ] as [(inout RegistryImageStore.Configuration) -> Void] {
                var configuration = RegistryImageStore.Configuration()
                adjust(&configuration)
                let limited = RegistryImageStore(client: store.client, configuration: configuration)
                let error = await slugStoreError { () throws(SlugStoreError) in
                    _ = try await sample.fetched("v1", from: limited, in: directory.appending("other"))
                }
                #expect(error?.code == .limitExceeded)
            }
            #expect(!server.requests.contains { $0.method == "GET" && $0.uri.contains("/blobs/sha256") })
        }
    }

    @Test func `blobs are fetched from where they are, without the password`() async throws {
        let credentials = RegistryClient.Credentials(user: "me", password: "secret")
        let blobs = MemoryRegistry()
        try await ScriptedServer.with({ request in
            request.header("Authorization") == nil ? blobs.answer(request) : .init(status: 400)
        }) { storage in
            let port = storage.port
            try await Self.with(
                { request, _ in
                    guard request.header("Authorization") != nil else {
                        return .init(status: 401, headers: [("WWW-Authenticate", "Basic realm=\"r\"")])
                    }
                    guard request.method == "GET", request.uri.contains("/blobs/sha256") else { return nil }
                    return .init(status: 307, headers: [("Location", "http://localhost:\(port)\(request.uri)")])
                }, credentials: credentials
            ) { store, _, registry, directory in
                let sample = try await Self.pushed(store, directory)
                blobs.change { $0.blobs = registry.content.blobs }
                let report = try await sample.fetched("v1", from: store, in: directory.appending("other"))
                #expect(report.slug.id == sample.id)
                #expect(storage.requests.count == 3)
                #expect(storage.requests.allSatisfy { $0.header("Authorization") == nil })
            }
        }
    }

    @Test(arguments: [
        ("https://cdn.example.org/x", "/next", "https://cdn.example.org/next"),
        ("https://cdn.example.org/x", "http://cdn.example.org/y", nil),
        ("https://registry.example.org/x", "/y", "https://registry.example.org/y"),
        ("https://registry.example.org/x", "http://127.0.0.1/y", nil),
        ("https://registry.example.org/x", "//cdn.example.org/y", nil),
        ("https://registry.example.org/x", "http://registry.example.org/y", "https://registry.example.org/y"),
        ("https://registry.example.org/x", "file:///etc/passwd", nil),
    ])
    func `from TLS nothing leads into clear text`(asked: String, location: String, target: String?) async throws {
        try await withClient { client in
            let registry = try RegistryClient(
                configuration: .init(endpoint: RemoteEndpoint(host: "registry.example.org"), repository: "a"),
                transport: makeTransport(client))
            let resolved = try? registry.resolve(location, "Asking", from: asked)
            #expect(resolved == target)
        }
        // Nor on this machine, if the registry is spoken to over TLS there.
        try await withClient { client in
            let registry = try RegistryClient(
                configuration: .init(endpoint: RemoteEndpoint(host: "localhost"), repository: "a"),
                transport: makeTransport(client))
            #expect((try? registry.resolve("http://127.0.0.1:81/x", "Asking")) == nil)
        }
    }

    @Test func `a server that stands still in the middle is given up in time`() async throws {
        let clock = ManualClock()
        let size = 10 << 20
        try await ScriptedServer.with({ _ in
            .init(headers: [("Content-Length", "\(size)")], body: .init(repeating: 1, count: 3 << 20), stalls: true)
        }) { server in
            try await withClient { client in
                let store = try makeImageStore(
                    server.port, client: makeTransport(client, clock: clock) { $0.attempts = 1 })
                let (came, coming) = AsyncStream.makeStream(of: Void.self)
                let task = Task {
                    await slugStoreError { () throws(SlugStoreError) in
                        try await store.client.streamBlob(
                            MemoryRegistry.digest([]), size: Int64(size), position: { 0 }
                        ) { _ throws(SlugStoreError) in coming.yield() }
                    }
                }
                // In the first window much has come; in the second nothing does.
                var pieces = 0
                for await _ in came {
                    pieces += 1
                    if pieces == 2 { break }
                }
                for _ in 0..<2 {
                    await clock.sleepers(atLeast: 1)
                    clock.advance(by: .seconds(30))
                }
                #expect(await task.value?.code == .remoteUnavailable)
            }
        }
    }

    @Test func `what a registry without ranges sends once more counts as coming`() async throws {
        let clock = ManualClock()
        let (size, had) = (10 << 20, 6 << 20)
        // All is sent, whatever was asked for. Of what is new, less comes than is wanted within a window.
        try await ScriptedServer.with({ _ in
            .init(
                headers: [("Content-Length", "\(size)")], body: .init(repeating: 1, count: had + (3 << 19)),
                stalls: true)
        }) { server in
            try await withClient { client in
                let store = try makeImageStore(
                    server.port, client: makeTransport(client, clock: clock) { $0.attempts = 1 })
                let (came, coming) = AsyncStream.makeStream(of: Void.self)
                let task = Task {
                    await slugStoreError { () throws(SlugStoreError) in
                        try await store.client.streamBlob(
                            MemoryRegistry.digest([]), size: Int64(size), position: { Int64(had) }
                        ) { _ throws(SlugStoreError) in coming.yield() }
                    }
                }
                for await _ in came { break }
                // It outlives the first window, and not the second.
                for _ in 0..<2 {
                    await clock.sleepers(atLeast: 1)
                    clock.advance(by: .seconds(30))
                }
                #expect(await task.value?.code == .remoteUnavailable)
            }
        }
    }

    // MARK: References

    @Test(arguments: [
        ("oci://registry.example.org/shop", "https://registry.example.org", "shop", "latest"),
        (
            "oci://registry.example.org:5000/team/shop:v1.2-web", "https://registry.example.org:5000", "team/shop",
            "v1.2-web"
        ),
        ("oci://127.0.0.1:5000/shop:V1", "http://127.0.0.1:5000", "shop", "V1"),
        ("oci://[::1]:5000/shop", "http://[::1]:5000", "shop", "latest"),
    ])
    func `a reference says where an image is`(text: String, endpoint: String, repository: String, name: String) throws {
        let reference = try ImageReference(text)
        #expect("\(reference.endpoint)" == endpoint)
        #expect(reference.repository == repository)
        #expect(reference.name == name)
        let digest = "sha256:" + String(repeating: "a", count: 64)
        #expect(try ImageReference("\(text)@\(digest)").name == digest)
    }

    @Test(arguments: [
        "registry.example.org/shop", "oci://registry.example.org", "oci://registry.example.org/Shop",
        "oci://registry.example.org/shop:", "oci://registry.example.org/shop:-x",
        "oci://registry.example.org/shop@sha256:1",
        "oci://registry.example.org/shop:a/b", "oci://user@registry.example.org/shop", "oci:///shop",
        "oci://registry.example.org/shop:v1?x=1",
    ])
    func `what is no reference is refused`(text: String) {
        #expect(throws: SlugStoreError.self) { try ImageReference(text) }
    }
}
