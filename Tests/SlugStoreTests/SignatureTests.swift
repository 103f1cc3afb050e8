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
