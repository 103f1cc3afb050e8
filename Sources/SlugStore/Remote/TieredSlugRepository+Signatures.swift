import Logging
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
        // While a slug is being sent, its signatures may have been read already.
        try await self.locks.withLock(.slug(id), .exclusive) { () async throws(SlugStoreError) in
            let isHere = try await self.local.has(id)
            if cache.journal.contains(id) { return try await self.local.add(signature, to: id) }
            if isHere {
                try await self.local.adopt([signature], of: id)
            } else if try await self.remoteRecord(of: id) == nil {
                throw self.notFound(id)
            }
            // However many there are: strangers, who may have put them there, keep nobody from signing.
            try await self.send(signature, of: id)
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

    /// Those of keys that are trusted here, and of others as many as the limit allows: whoever may write there may put more.
    private func remoteSignatures(of id: SlugID) async throws(SlugStoreError) -> [SlugSignature] {
        let limits = self.configuration.limits
        let trusted = Set(self.local.trustedKeys.map { RemoteLayout.signature(of: id, by: $0) })
        var keys: [ObjectKey]
        do throws(SlugStoreError) {
            let listed = try await self.store.list(prefix: RemoteLayout.signatures(of: id))
            let others = listed.filter { !trusted.contains($0) }.sorted()
            keys = listed.filter(trusted.contains) + others.prefix(limits.signatures)
            if others.count > limits.signatures { self.tell(tooManySignaturesOf: id) }
        } catch {
            guard error.code == .limitExceeded else { throw error }
            self.tell(tooManySignaturesOf: id)
            keys = Array(trusted)
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

    private func tell(tooManySignaturesOf id: SlugID) {
        self.logger.warning(
            "a slug has more signatures in the remote than are read: delete what strangers have put there",
            metadata: [
                "slug.id": "\(id)", "slug.objects": "\(RemoteLayout.signatures(of: id))",
                "slug.limit": "\(self.configuration.limits.signatures)",
            ])
    }
}
