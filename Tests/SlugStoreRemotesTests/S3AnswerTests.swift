import Foundation
import SlugStore
import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

@testable import SlugStoreRemotes

/// What a server that speaks S3 does beyond the promises of an object store: pages, odd names, refusals, broken-off uploads.
@Suite(.enabled(if: S3Server.isAvailable, "\(S3Server.advice)"), .serialized)
struct S3AnswerTests {
    @Test func `a list goes on after its first page`() async throws {
        try await withS3Server { server, transport in
            // The begin of the next page is told with a name that has to be encoded.
            let store = try server.store("pages + ü&/", transport)
            let keys = try Set((0..<1003).map { try #require(ObjectKey("many/\($0)")) })
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (number, key) in keys.enumerated() {
                    if number >= 16 { try await group.next() }
                    group.addTask { try await store.write([1], to: key) }
                }
                try await group.waitForAll()
            }
            let listed = try await store.list(prefix: "many/")
            #expect(listed.count == 1003 && Set(listed) == keys)
        }
    }

    @Test func `prefixes may have any characters`() async throws {
        let prefixes = [
            "sp ace/", "plus+/", "percent%/", "encoded%2F%20/", "q?u=e&r;y#f/", "a'b(c)*!~/", "\"quoted\"<xml>&amp;/",
            "ünïcödé/日本/", "=,:@$/", "[b]{c}|^`/", "back\\slash/", "two//slashes/", "no slash ",
        ]
        try await withS3Server { server, transport in
            let key = try #require(ObjectKey("packs/one.pack"))
            for prefix in prefixes {
                let store = try server.store("odd/\(prefix)", transport) { $0.multipartBytes = 1 }
                do {
                    try await store.write([1, 2, 3], to: key)
                    #expect(try await store.read(key, range: 0..<3) == [1, 2, 3], "\(prefix)")
                    #expect(try await store.list(prefix: "packs/") == [key], "\(prefix)")
                    try await withTemporaryDirectory { directory in
                        let file = directory.appending("file")
                        try Data([4, 5]).write(to: URL(filePath: file.string))
                        // In parts, of which there is one.
                        try await store.write(contentsOf: file, to: key)
                    }
                    #expect(try await store.read(key, range: 0..<3) == [4, 5], "\(prefix)")
                    try await store.delete(key)
                    #expect(try await store.size(of: key) == nil, "\(prefix)")
                } catch {
                    Issue.record("\(prefix): \(error)")
                }
            }
        }
    }

    @Test func `an upload that is broken off leaves no parts`() async throws {
        try await withS3Server { server, transport in
            let requests = Counter()
            let store = try server.store("broken/", transport) {
                $0.multipartBytes = 5 << 20
                $0.partBytes = 5 << 20
                $0.partsAtOnce = 1
                // Each request is dated: the begin, the first part, the second.
                $0.now = {
                    if requests.next() == 3 { withUnsafeCurrentTask { $0?.cancel() } }
                    return Date()
                }
            }
            let key = try #require(ObjectKey("packs/one.pack"))
            let error = try await withTemporaryDirectory { directory in
                let file = directory.appending("file")
                try Data(count: 11 << 20).write(to: URL(filePath: file.string))
                return await slugStoreError { () throws(SlugStoreError) in
                    try await store.write(contentsOf: file, to: key)
                }
            }
            #expect(error?.code == .cancelled)
            #expect(try await store.size(of: key) == nil)
            let answer = try await store.send(
                "Listing", "GET", query: [("prefix", "\(server.prefix)broken/"), ("uploads", "")])
            #expect(answer.status == 200)
            #expect(try XMLElement(parsing: answer.body)["Upload"] == nil)
        }
    }

    @Test func `a bucket that is not there is named`() async throws {
        try await withS3Server { server, transport in
            let store = try server.store("", transport) { $0.bucket = "slipway-has-none-such" }
            let key = try #require(ObjectKey("x"))
            for error in [
                await slugStoreError { () throws(SlugStoreError) in _ = try await store.list(prefix: "") },
                await slugStoreError { () throws(SlugStoreError) in try await store.write([1], to: key) },
                await slugStoreError { () throws(SlugStoreError) in _ = try await store.read(key, range: 0..<1) },
            ] {
                #expect(error?.code == .remoteRefused && error?.message.contains("NoSuchBucket") == true, "\(error!)")
            }
        }
    }

    @Test func `whoever may not use the bucket is told so`() async throws {
        // moto would believe anything.
        guard S3Server.checksSignatures else { return }
        try await withS3Server { server, transport in
            let key = try #require(ObjectKey("x"))
            let bad: [(String, (inout S3ObjectStore.Configuration) -> Void)] = [
                ("SignatureDoesNotMatch", { $0.credentials.secretAccessKey += "x" }),
                ("InvalidAccessKeyId", { $0.credentials.accessKeyID = "NOBODY" }),
                ("RequestTimeTooSkewed", { $0.now = { Date() + 3600 } }),
                ("RequestTimeTooSkewed", { $0.now = { Date() - 3600 } }),
            ]
            for (code, adjust) in bad {
                let store = try server.store("", transport, adjust)
                let listing = await slugStoreError { () throws(SlugStoreError) in _ = try await store.list(prefix: "") }
                #expect(listing?.code == .unauthorised && listing?.message.contains(code) == true, "\(listing!)")
                let writing = await slugStoreError { () throws(SlugStoreError) in try await store.write([1], to: key) }
                #expect(writing?.code == .unauthorised && writing?.message.contains(code) == true, "\(writing!)")
                // There is no body of the answer to say why.
                let looking = await slugStoreError { () throws(SlugStoreError) in _ = try await store.size(of: key) }
                #expect(looking?.code == .unauthorised, "\(looking!)")
            }
        }
    }

    @Test func `bytes that are not those of the digest are refused, and others need none`() async throws {
        // moto would believe anything.
        guard S3Server.checksSignatures else { return }
        try await withS3Server { server, transport in
            let store = try server.store("digests/", transport)
            let key = try #require(ObjectKey("x"))
            let damaged = try await store.send(
                "Writing", "PUT", key: key, body: .bytes([1, 2, 3]), digest: SigV4.hex(Digest.sha256([1, 2, 4])))
            #expect(damaged.status == 400, "\(damaged.excerpt)")
            #expect(store.failure("Writing", damaged).code == .remoteUnavailable, "\(damaged.excerpt)")
            #expect(try await store.size(of: key) == nil)
            // What `omitsPayloadDigest` sends over TLS.
            let unsaid = try await store.send("Writing", "PUT", key: key, body: .bytes([1, 2, 3]))
            #expect(unsaid.status == 200, "\(unsaid.excerpt)")
            #expect(try await store.read(key, range: 0..<3) == [1, 2, 3])
        }
    }
}
