import Logging
import SlugStoreTesting
import SystemPackage
import TestSupport
import Testing

@testable import SlugStore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

@Suite struct SignatureTests {
    private let signer = SlugSigner()

    @Test func `a slug is made only when somebody trusted has signed it`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("repository")
            try TestTree(["a": .file("1")]).write(to: directory.appending("tree"))
            let repository = makeRepository(path) { $0.signatures = .anyOf([self.signer.publicKey]) }
            let id = try await repository.put(directory.appending("tree"), metadata: SlugMetadata()).id

            #expect(try await self.refusal(repository, id)?.contains("is not signed") == true)
            try await repository.sign(id, by: SlugSigner())
            #expect(try await self.refusal(repository, id)?.contains("none of the keys that are trusted") == true)
            try await repository.sign(id, by: self.signer)
            #expect(try await self.refusal(repository, id) == nil)
            #expect(try await repository.signatures(of: id).count == 2)

            // A tree that was made for somebody less strict does not help.
            let other = makeRepository(path) { $0.signatures = .anyOf([SlugSigner().publicKey]) }
            #expect(try await self.refusal(other, id) != nil)
            try await repository.remove(id)
            #expect(try names(in: path.appending("signatures")).isEmpty)
        }
    }

    @Test func `a signature of another slug is none`() async throws {
        try await withTemporaryDirectory { directory in
            let repository = makeRepository(directory.appending("repository"))
            try TestTree(["a": .file("1")]).write(to: directory.appending("tree"))
            let first = try await repository.put(directory.appending("tree"), metadata: SlugMetadata()).id
            let second = try await repository.put(
                directory.appending("tree"), metadata: SlugMetadata(labels: ["other": "yes"])
            ).id
            let signature = try self.signer.signature(of: first)
            let error = await slugStoreError { () throws(SlugStoreError) in
                try await repository.add(signature, to: second)
            }
            #expect(error?.code == .untrusted)
            #expect(throws: SlugStoreError.self) {
                try SignaturePolicy.anyOf([self.signer.publicKey]).check(second, signatures: [signature])
            }
            #expect(try await repository.signatures(of: second).isEmpty)
        }
    }

    @Test func `one trusted signature is found among many of strangers, however many`() async throws {
        try await withTemporaryDirectory { directory in
            let store = InMemoryObjectStore()
            try TestTree(["a": .file("1")]).write(to: directory.appending("tree"))
            let id = try await makeHost(directory.appending("one"), on: store).put(
                directory.appending("tree"), metadata: SlugMetadata()
            ).id
            // The one that is listed last.
            let signers = (0..<100).map { _ in SlugSigner() }.sorted {
                RemoteLayout.signature(of: id, by: $0.publicKey) < RemoteLayout.signature(of: id, by: $1.publicKey)
            }
            for signer in signers {
                let signature = try signer.signature(of: id)
                try await store.write(
                    Array(signature.publicKey + signature.signature),
                    to: RemoteLayout.signature(of: id, by: signer.publicKey))
            }
            let trusted = try #require(signers.last).publicKey
            for (number, limit) in [1_000, 40].enumerated() {
                let local = makeRepository(directory.appending("other\(number)")) { $0.signatures = .anyOf([trusted]) }
                var configuration = TieredSlugRepository.Configuration()
                configuration.limits.signatures = limit
                let other = TieredSlugRepository(
                    local: local, remote: store, configuration: configuration,
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                let error = await slugStoreError { () throws(SlugStoreError) in _ = try await other.materialise(id) }
                #expect(error == nil)
                #expect(try await local.signatures(of: id).count == LocalSlugRepository.maxSignatures)
                #expect(try await other.signatures(of: id).count == min(limit + 1, 100))
            }
            // A place is made for one that is trusted later.
            let late = try #require(signers.first).publicKey
            let local = makeRepository(directory.appending("other0")) { $0.signatures = .anyOf([late]) }
            try await local.adopt([try signers[0].signature(of: id)], of: id)
            #expect(try await local.signatures(of: id).contains { $0.publicKey == late })
            #expect(try await local.signatures(of: id).count <= LocalSlugRepository.maxSignatures)
        }
    }

    @Test func `strangers keep nobody from signing, nor from using what is signed`() async throws {
        try await withTemporaryDirectory { directory in
            let weather = Weather()
            let store = weather.makeStore()
            try TestTree(["a": .file("1")]).write(to: directory.appending("tree"))
            let host = makeHost(directory.appending("one"), on: store)
            let id = try await host.put(directory.appending("tree"), metadata: SlugMetadata()).id
            for _ in 0...LocalSlugRepository.maxSignatures {
                let stranger = SlugSigner()
                try await store.write(
                    Array(stranger.publicKey + (try stranger.signature(of: id)).signature),
                    to: RemoteLayout.signature(of: id, by: stranger.publicKey))
            }
            // A host that has fetched as many of them as it keeps, one that has the slug, and one that has not.
            let full = makeHost(directory.appending("two"), on: store)
            _ = try await full.materialise(id)
            let signers = [SlugSigner(), SlugSigner(), SlugSigner()]
            for (host, signer) in zip([full, host, makeHost(directory.appending("three"), on: store)], signers) {
                try await host.sign(id, by: signer)
                #expect(try await host.signatures(of: id).contains { $0.publicKey == signer.publicKey })
            }
            // Then there are more than the remote lists.
            let prefix = RemoteLayout.signatures(of: id)
            weather.set { call in
                guard case .list(prefix) = call else { return nil }
                return SlugStoreError(code: .limitExceeded, message: "There are too many objects.")
            }
            for (number, signer) in signers.enumerated() {
                let local = makeRepository(directory.appending("reader\(number)")) {
                    $0.signatures = .anyOf([signer.publicKey, SlugSigner().publicKey])
                }
                let reader = TieredSlugRepository(
                    local: local, remote: store,
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                _ = try await reader.materialise(id)
                #expect(try await reader.signatures(of: id).map(\.publicKey) == [signer.publicKey])
            }
        }
    }

    @Test func `a signature that is damaged here is replaced by what the remote has`() async throws {
        try await withTemporaryDirectory { directory in
            let store = InMemoryObjectStore()
            try TestTree(["a": .file("1")]).write(to: directory.appending("tree"))
            let first = makeHost(directory.appending("one"), on: store)
            let id = try await first.put(directory.appending("tree"), metadata: SlugMetadata()).id
            try await first.sign(id, by: self.signer)
            for damage in [64, 10, 0] {
                let path = directory.appending("host\(damage)")
                let local = makeRepository(path) { $0.signatures = .anyOf([self.signer.publicKey]) }
                let host = TieredSlugRepository(
                    local: local, remote: store,
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                _ = try await host.materialise(id)
                let file = path.appending("signatures").appending("\(id.hex).\(hexadecimal(self.signer.publicKey))")
                try file.write([UInt8](repeating: 7, count: damage))
                // A tree that is there asks nobody.
                try FileManager.default.removeItem(atPath: path.appending("trees").appending(id.hex).string)
                _ = try await host.materialise(id)
                #expect(try await local.signatures(of: id).map { $0.isValid(for: id) } == [true], "\(damage) bytes")
            }
        }
    }

    @Test func `a signature that is damaged keeps no other from vouching, and is told of`() async throws {
        try await withTemporaryDirectory { directory in
            try TestTree(["a": .file("1")]).write(to: directory.appending("tree"))
            let path = directory.appending("slugs")
            let repository = makeRepository(path) { $0.signatures = .anyOf([self.signer.publicKey]) }
            let id = try await repository.put(directory.appending("tree"), metadata: SlugMetadata()).id
            let other = SlugSigner()
            for signer in [other, self.signer] { try await repository.sign(id, by: signer) }
            let name = "\(id.hex).\(hexadecimal(other.publicKey))"
            for damage in [10, 64] {
                try path.appending("signatures").appending(name).write([UInt8](repeating: 7, count: damage))
                #expect(try await self.refusal(repository, id) == nil)
                #expect(try await repository.signatures(of: id).map(\.publicKey) == [self.signer.publicKey])
                let damages = try await repository.verifyAll().damages
                #expect(damages.map { $0.description.contains(name) } == [true], "\(damages)")
            }
            try await repository.sign(id, by: other)
            #expect(try await repository.signatures(of: id).count == 2)
            #expect(try await repository.verifyAll().isSound)
        }
    }

    @Test func `keys come back as they were kept`() throws {
        let again = try SlugSigner(privateKey: self.signer.privateKey)
        #expect(again.publicKey == self.signer.publicKey)
        #expect(throws: SlugStoreError.self) { try SlugSigner(privateKey: Data([1, 2, 3])) }
    }

    private func refusal(_ repository: LocalSlugRepository, _ id: SlugID) async throws -> String? {
        let error = await slugStoreError { () throws(SlugStoreError) in _ = try await repository.materialise(id) }
        if let error { #expect(error.code == .untrusted) }
        return error?.message
    }
}
