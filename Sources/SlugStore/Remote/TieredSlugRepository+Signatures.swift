import Synchronization

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension TieredSlugRepository {
    /// Keeps a signature with a slug, for all hosts; that of a slug which waits to be sent is sent with it.
    public func add(_ signature: SlugSignature, to id: SlugID) async throws(SlugStoreError) {
        let cache = try await self.cache()
        guard signature.isValid(for: id) else {
            throw SlugStoreError(code: .untrusted, message: "This is not a valid signature of the slug \(id).")
        }
        let kept = try await self.signatures(of: id)
        guard
            kept.count < LocalSlugRepository.maxSignatures
                || kept.contains(where: { $0.publicKey == signature.publicKey })
        else {
            throw SlugStoreError(
                code: .limitExceeded, message: "The slug \(id) has \(kept.count) signatures, which is the limit.")
        }
        // While a slug is being sent, its signatures may have been read already.
        try await self.locks.withLock(.slug(id), .exclusive) { () async throws(SlugStoreError) in
            if try await self.local.has(id) { try await self.local.add(signature, to: id) }
            if !cache.journal.contains(id) { try await self.send(signature, of: id) }
        }
    }

    /// The signatures of a slug that can be seen: those of this machine alone while the remote is away.
    public func signatures(of id: SlugID) async throws(SlugStoreError) -> [SlugSignature] {
        let isHere = try await self.local.has(id)
        var signatures = isHere ? try await self.local.signatures(of: id) : []
        do throws(SlugStoreError) {
            let known = Set(signatures.map(\.publicKey))
            signatures += try await self.remoteSignatures(of: id).filter { !known.contains($0.publicKey) }
            if signatures.isEmpty, !isHere, try await self.remoteRecord(of: id) == nil { throw self.notFound(id) }
        } catch {
            guard isHere, error.code == .remoteUnavailable else { throw error }
        }
        return signatures.sorted { $0.publicKey.lexicographicallyPrecedes($1.publicKey) }
    }

    /// Keeps a signature in the remote: 32 bytes of key and 64 of signature.
    func send(_ signature: SlugSignature, of id: SlugID) async throws(SlugStoreError) {
        try await self.store.write(
            Array(signature.publicKey + signature.signature),
            to: RemoteLayout.signature(of: id, by: signature.publicKey))
    }

    /// Brings the signatures of a slug that is here to this machine, if the remote can be asked.
    func fetchSignatures(of id: SlugID) async throws(SlugStoreError) {
        do throws(SlugStoreError) {
            try await self.local.adopt(try await self.remoteSignatures(of: id), of: id)
        } catch {
            guard error.code == .remoteUnavailable else { throw error }
        }
    }

    /// All of them: of many, any may be the one that is trusted.
    private func remoteSignatures(of id: SlugID) async throws(SlugStoreError) -> [SlugSignature] {
        let keys = try await self.store.list(prefix: RemoteLayout.signatures(of: id)).sorted()
        let limits = self.configuration.limits
        guard keys.count <= limits.signatures else {
            throw SlugStoreError(
                code: .limitExceeded,
                message: "The remote has \(keys.count) signatures of the slug \(id); the limit is \(limits.signatures) "
                    + "(signatures). Delete what strangers have put there under \(RemoteLayout.signatures(of: id)).")
        }
        let found = Mutex<[SlugSignature]>([])
        try await inParallel(keys, limit: limits.requests) { key throws(SlugStoreError) in
            do throws(SlugStoreError) {
                let bytes = try await self.store.read(key, limit: 96)
                let signature = SlugSignature(
                    publicKey: Data(bytes.prefix(32)), signature: Data(bytes.dropFirst(32)))
                // What is none is as good as missing: the policy says what follows from that.
                if signature.isValid(for: id) { found.withLock { $0.append(signature) } }
            } catch {
                guard error.code == .notFound || error.code == .limitExceeded else { throw error }
            }
        }
        return found.withLock { $0 }
    }
}
