import SlugStore
import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

@testable import SlugStoreRemotes

/// Servers that break, lie or refuse: each is a clear error.
@Suite struct HostileServerTests {
    static let key = ObjectKey("packs/0.pack")

    static func withS3<R>(
        _ script: @escaping ScriptedServer.Script, clock: any Clock<Duration> = ContinuousClock(), attempts: Int = 3,
        _ body: (S3ObjectStore, ScriptedServer, ObjectKey) async throws -> R
    ) async throws -> R {
        try await ScriptedServer.with(script) { server in
            try await withClient { client in
                let transport = makeTransport(client, clock: clock) {
                    $0.attempts = attempts
                    $0.answerBytes = 100_000
                }
                var configuration = S3ObjectStore.Configuration(
                    bucket: "bucket", region: "eu-west-1", credentials: testCredentials,
                    endpoint: RemoteEndpoint(isSecure: false, host: "127.0.0.1", port: server.port))
                configuration.listedObjects = 5
                configuration.multipartBytes = 6 << 20
                configuration.partBytes = 5 << 20
                let key = try #require(Self.key)
                return try await body(
                    try S3ObjectStore(configuration: configuration, transport: transport), server, key)
            }
        }
    }

    // MARK: Reading

    @Test func `a server that ignores ranges still serves them`() async throws {
        let object = (0..<200).map { UInt8($0) }
        try await Self.withS3({ _ in .init(body: object) }) { store, _, key in
            let answers = [
                try await store.read(key, range: 50..<60), try await store.read(key, range: 190..<300),
                try await store.read(key, range: 300..<310),
            ]
            #expect(answers == [Array(object[50..<60]), Array(object[190...]), []])
        }
    }

    @Test(arguments: [
        ("bytes 0-9/100", 10), ("bytes 10-29/100", 20), ("bytes 10-14/100", 5), ("nonsense", 10), ("", 10),
        ("bytes 10-19/15", 10), ("\u{9b}2Jbytes", 10),
    ])
    func `an answer to another range is refused`(range: String, count: Int) async throws {
        try await Self.withS3(
            { _ in .init(status: 206, headers: [("Content-Range", range)], body: .init(repeating: 1, count: count)) }
        ) { store, _, key in
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try await store.read(key, range: 10..<20)
            }
            #expect(error?.code == .invalidAnswer)
            let isPrintable = error?.message.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
            #expect(isPrintable == true)
        }
    }

    @Test func `a truncated answer is asked for again, and given up in the end`() async throws {
        let calls = Counter()
        try await Self.withS3({ _ in
            let isWhole = calls.next() == 3
            return .init(
                status: 206, headers: [("Content-Range", "bytes 0-99/100")],
                body: .init(repeating: 7, count: isWhole ? 100 : 50), promisedBytes: 100, closes: !isWhole)
        }) { store, _, key in
            let bytes = try await store.read(key, range: 0..<100)
            #expect(bytes.count == 100)
        }
        try await Self.withS3({ _ in
            .init(
                status: 206, headers: [("Content-Range", "bytes 0-99/100")], body: [1], promisedBytes: 100, closes: true
            )
        }) { store, server, key in
            let error = await slugStoreError { () throws(SlugStoreError) in
                _ = try await store.read(key, range: 0..<100)
            }
            #expect(error?.code == .remoteUnavailable)
            #expect(server.requests.count == 3)
        }
    }

    // MARK: Trying again

    @Test(arguments: [500, 502, 503, 504, 429])
    func `what may pass is tried again, signed anew`(status: Int) async throws {
        let calls = Counter()
        try await Self.withS3({ _ in calls.next() < 3 ? .init(status: status) : .init() }) { store, server, key in
            try await store.write([1, 2, 3], to: key)
            #expect(server.requests.count == 3)
            #expect(server.requests.allSatisfy { $0.header("Authorization")?.contains("/eu-west-1/s3/") == true })
        }
    }

    @Test func `a server that never answers is given up in time`() async throws {
        let clock = ManualClock()
        try await Self.withS3({ _ in .init(hangs: true) }, clock: clock, attempts: 1) { store, _, key in
            async let error = slugStoreError { () throws(SlugStoreError) in _ = try await store.size(of: key) }
            await clock.sleepers(atLeast: 1)
            clock.advance(by: .seconds(31))
            #expect(await error?.code == .remoteUnavailable)
        }
    }

    @Test func `a cancelled request ends`() async throws {
        try await Self.withS3({ _ in .init(hangs: true) }, clock: ManualClock()) { store, server, key in
            let task = Task { await slugStoreError { () throws(SlugStoreError) in _ = try await store.size(of: key) } }
            task.cancel()
            #expect(await task.value?.code == .cancelled)
        }
    }

    // MARK: Refusals

    @Test(arguments: [
        (403, "AccessDenied", SlugStoreError.Code.unauthorised), (403, "RequestTimeTooSkewed", .unauthorised),
        (404, "NoSuchBucket", .remoteRefused), (404, "NoSuchKey", .notFound),
        (301, "PermanentRedirect", .remoteRefused),
        (307, "TemporaryRedirect", .remoteRefused), (400, "AuthorizationHeaderMalformed", .remoteRefused),
        (400, "InvalidRequest", .remoteRefused), (204, "", .invalidAnswer),
    ])
    func `a refusal says what to do`(status: Int, code: String, expected: SlugStoreError.Code) async throws {
        let text = code.isEmpty ? "" : "<Error><Code>\(code)</Code><Message>No.</Message></Error>"
        try await Self.withS3({ _ in
            .init(
                status: status, headers: [("x-amz-bucket-region", "us-west-2"), ("Location", "http://127.0.0.1:1/")],
                body: Array(text.utf8))
        }) { store, server, key in
            let error = await slugStoreError { () throws(SlugStoreError) in _ = try await store.read(key, range: 0..<9)
            }
            #expect(error?.code == expected)
            #expect(server.requests.count == 1)
            if status == 301 { #expect(error?.message.contains("us-west-2") == true) }
        }
    }

    // MARK: Lists

    static func page(_ keys: [String], next: String?) -> [UInt8] {
        let contents = keys.map { "<Contents><Key>\($0)</Key></Contents>" }.joined()
        let more =
            next.map { "<IsTruncated>true</IsTruncated><NextContinuationToken>\($0)</NextContinuationToken>" } ?? ""
        return Array("<ListBucketResult>\(contents)\(more)</ListBucketResult>".utf8)
    }

    @Test func `a list has several pages`() async throws {
        try await Self.withS3({ request in
            request.uri.contains("continuation-token=two%20%2F")
                ? .init(body: Self.page(["packs/c"], next: nil))
                : .init(body: Self.page(["packs/a", "packs/b", "packs/NOT-OURS"], next: "two /"))
        }) { store, _, _ in
            let keys = try await store.list(prefix: "packs/")
            #expect(keys.map(\.description) == ["packs/a", "packs/b", "packs/c"])
        }
    }

    @Test func `a list without end ends`() async throws {
        let calls = Counter()
        for (script, code) in [
            ({ @Sendable _ in .init(body: Self.page(["a\(calls.next())"], next: "t\(calls.next())")) }, .limitExceeded),
            ({ @Sendable _ in .init(body: Self.page(["a"], next: "same")) }, .invalidAnswer),
            ({ @Sendable _ in .init(body: Self.page([], next: "t\(calls.next())")) }, .invalidAnswer),
            ({ @Sendable _ in .init(body: Array("<html>hello</html>".utf8)) }, .invalidAnswer),
            ({ @Sendable _ in .init(body: Array("{}".utf8)) }, .invalidAnswer),
            ({ @Sendable _ in .init(body: .init(repeating: 0x20, count: 200_000)) }, .invalidAnswer),
        ] as [(ScriptedServer.Script, SlugStoreError.Code)] {
            try await Self.withS3(script) { store, server, _ in
                let error = await slugStoreError { () throws(SlugStoreError) in _ = try await store.list(prefix: "") }
                #expect(error?.code == code)
                #expect(server.requests.count < 10)
            }
        }
    }

    // MARK: Parts

    @Test func `an upload whose part fails is given up`() async throws {
        try await withTemporaryDirectory { directory in
            let file = directory.appending("file")
            try Array(repeating: UInt8(1), count: 11 << 20).write(to: file)
            try await Self.withS3({ request in
                if request.uri.hasSuffix("?uploads=") {
                    return .init(body: Array("<I><UploadId>u</UploadId></I>".utf8))
                }
                return .init(
                    status: request.uri.contains("partNumber=2") || request.method == "DELETE" ? 500 : 200,
                    headers: [("ETag", "\"e\"")])
            }) { store, server, key in
                let error = await slugStoreError { () throws(SlugStoreError) in
                    try await store.write(contentsOf: file, to: key)
                }
                #expect(error?.code == .remoteUnavailable)
                // Once: it was asked often enough.
                #expect(server.requests.last?.method == "DELETE")
                #expect(server.requests.count { $0.method == "DELETE" } == 1)
            }
        }
    }
}

extension [UInt8] {
    fileprivate func write(to path: FilePath) throws {
        let file = try FileDescriptor.open(path, .writeOnly, options: [.create], permissions: [.ownerReadWrite])
        _ = try file.closeAfter { try file.writeAll(self) }
    }
}
