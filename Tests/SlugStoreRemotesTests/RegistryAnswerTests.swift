import SlugStore
import Testing

@testable import SlugStoreRemotes

/// What registries may say that the reference implementation does not.
@Suite struct RegistryAnswerTests {
    static func withRegistry<R>(
        _ script: @escaping ScriptedServer.Script, credentials: RegistryClient.Credentials? = nil,
        chunkBytes: Int64 = 64 << 20, _ body: (RegistryClient, ScriptedServer) async throws -> R
    ) async throws -> R {
        try await ScriptedServer.with(script) { server in
            try await withClient { client in
                var configuration = RegistryClient.Configuration(
                    endpoint: RemoteEndpoint(isSecure: false, host: "127.0.0.1", port: server.port),
                    repository: "a/b", credentials: credentials)
                configuration.chunkBytes = chunkBytes
                configuration.listedTags = 5
                return try await body(
                    try RegistryClient(
                        configuration: configuration, transport: makeTransport(client) { $0.attempts = 2 }),
                    server)
            }
        }
    }

    @Test func `a token is got from where the registry says, for all that was asked for, and used until it ends`()
        async throws
    {
        let credentials = RegistryClient.Credentials(user: "me", password: "secret")
        try await Self.withRegistry(
            { request in
                let host = request.header("Host") ?? ""
                if request.uri.hasPrefix("/token") {
                    guard request.header("Authorization") == "Basic bWU6c2VjcmV0" else { return .init(status: 401) }
                    let grants = request.uri.contains("push") ? "both" : "pull"
                    return .init(body: Array("{\"token\":\"\(grants)\",\"expires_in\":300}".utf8))
                }
                let needed = request.method == "GET" ? "pull" : "push"
                let token = request.header("Authorization") ?? ""
                guard token == "Bearer both" || (token == "Bearer pull" && needed == "pull") else {
                    return .init(
                        status: 401,
                        headers: [
                            (
                                "WWW-Authenticate",
                                "Bearer realm=\"http://\(host)/token\",service=\"s\",scope=\"repository:a/b:\(needed)\""
                            )
                        ])
                }
                return request.method == "GET" ? .init(body: Array("{\"tags\":[\"x\"]}".utf8)) : .init(status: 202)
            }, credentials: credentials
        ) { client, server in
            #expect(try await client.tags() == ["x"])
            try await client.deleteManifest("sha256:0")
            #expect(try await client.tags() == ["x"])
            let tokens = server.requests.filter { $0.uri.hasPrefix("/token") }.map(\.uri)
            #expect(
                tokens == [
                    "/token?scope=repository%3Aa%2Fb%3Apull&service=s",
                    "/token?scope=repository%3Aa%2Fb%3Apull%2Cpush&service=s",
                ])
        }
    }

    @Test func `a token that ends at once is used for what it was got for`() async throws {
        let credentials = RegistryClient.Credentials(user: "me", password: "secret")
        try await Self.withRegistry(
            { request in
                let host = request.header("Host") ?? ""
                if request.uri.hasPrefix("/token") { return .init(body: Array(#"{"token":"t","expires_in":5}"#.utf8)) }
                guard request.header("Authorization") == "Bearer t" else {
                    return .init(status: 401, headers: [("WWW-Authenticate", "Bearer realm=\"http://\(host)/token\"")])
                }
                return .init(body: Array(#"{"tags":["x"]}"#.utf8))
            }, credentials: credentials
        ) { client, server in
            let tags = [try await client.tags(), try await client.tags()]
            #expect(tags == [["x"], ["x"]])
            let tokens = server.requests.filter { $0.uri.hasPrefix("/token") }
            #expect(tokens.count == 2)
        }
    }

    @Test func `a password is sent when asked for, and a wrong one is said to be wrong`() async throws {
        for (password, code) in [("secret", nil), ("wrong", .unauthorised), (nil, .unauthorised)]
            as [(String?, SlugStoreError.Code?)]
        {
            try await Self.withRegistry(
                { request in
                    request.header("Authorization") == "Basic bWU6c2VjcmV0"
                        ? .init(body: Array("{\"tags\":null}".utf8))
                        : .init(status: 401, headers: [("WWW-Authenticate", "Basic realm=\"r\"")])
                }, credentials: password.map { .init(user: "me", password: $0) }
            ) { client, _ in
                let error = await slugStoreError { () throws(SlugStoreError) in _ = try await client.tags() }
                #expect(error?.code == code)
            }
        }
    }

    @Test func `a password goes nowhere in clear text`() async throws {
        let credentials = RegistryClient.Credentials(user: "me", password: "secret")
        try await Self.withRegistry(
            { _ in
                .init(status: 401, headers: [("WWW-Authenticate", "Bearer realm=\"http://tokens.example.org/\"")])
            }, credentials: credentials
        ) { client, _ in
            let error = await slugStoreError { () throws(SlugStoreError) in _ = try await client.tags() }
            #expect(error?.code == .invalidAnswer)
        }
        try await withClient { client in
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try RegistryClient(
                    configuration: .init(
                        endpoint: RemoteEndpoint(isSecure: false, host: "registry.example.org"), repository: "a"),
                    transport: makeTransport(client))
            }
            #expect(error?.code == .remoteRefused)
        }
    }

    @Test func `blobs are followed to where they are, without the password`() async throws {
        try await ScriptedServer.with({ request in
            request.header("Authorization") == nil
                ? .init(status: 206, headers: [("Content-Range", "bytes 1-2/4")], body: [2, 3]) : .init(status: 400)
        }) { storage in
            try await Self.withRegistry(
                { request in
                    guard request.header("Authorization") != nil else {
                        return .init(status: 401, headers: [("WWW-Authenticate", "Basic realm=\"r\"")])
                    }
                    return .init(
                        status: 307, headers: [("Location", "http://localhost:\(storage.port)/somewhere?signed=1")])
                }, credentials: .init(user: "me", password: "secret")
            ) { client, _ in
                let bytes = try await client.readBlob("sha256:0", range: 1..<3)
                #expect(bytes == [2, 3])
                #expect(storage.requests.map(\.uri) == ["/somewhere?signed=1"])
            }
        }
    }

    @Test func `redirects without end, and into clear text, are refused`() async throws {
        for location in ["/v2/again", "http://example.org/", "nonsense"] {
            try await Self.withRegistry({ _ in .init(status: 302, headers: [("Location", location)]) }) {
                client, server in
                let error = await slugStoreError { () throws(SlugStoreError) in
                    _ = try await client.readBlob("sha256:0", range: 0..<1)
                }
                #expect(error?.code == .invalidAnswer)
                #expect(server.requests.count <= 4)
            }
        }
    }

    @Test func `a list of tags has pages and an end`() async throws {
        try await Self.withRegistry({ request in
            request.uri.contains("last=b")
                ? .init(body: Array("{\"tags\":[\"c\"]}".utf8))
                : .init(
                    headers: [("Link", "</v2/a/b/tags/list?n=2&last=b>; rel=\"next\"")],
                    body: Array("{\"tags\":[\"a\",\"b\"]}".utf8))
        }) { client, _ in
            let tags = try await client.tags()
            #expect(tags == ["a", "b", "c"])
        }
        let calls = Counter()
        try await Self.withRegistry({ _ in
            .init(
                headers: [("Link", "</v2/a/b/tags/list?last=\(calls.next())>; rel=\"next\"")],
                body: Array("{\"tags\":[\"a\",\"b\"]}".utf8))
        }) { client, _ in
            let error = await slugStoreError { () throws(SlugStoreError) in _ = try await client.tags() }
            #expect(error?.code == .limitExceeded)
        }
    }

    @Test func `an object that is not what its digest says is damaged`() async throws {
        let digest = "sha256:" + String(repeating: "0", count: 64)
        try await Self.withRegistry({ request in
            request.uri.contains("manifests")
                ? .init(
                    body: Array(
                        """
                        {"schemaVersion":2,"config":{"mediaType":"a","digest":"\(digest)","size":2},
                         "layers":[{"mediaType":"a","digest":"\(digest)","size":3}]}
                        """.utf8)) : .init(body: [1, 2, 3])
        }) { client, _ in
            let store = RegistryObjectStore(client: client)
            let key = try #require(ObjectKey("slugs/0"))
            let error = await slugStoreError { () throws(SlugStoreError) in _ = try await store.read(key, range: 0..<3)
            }
            #expect(error?.code == .corrupted)
        }
    }
}
