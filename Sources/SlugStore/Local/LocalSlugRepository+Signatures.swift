import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension LocalSlugRepository {
    /// How many keys may vouch for one slug.
    static let maxSignatures = 32

    /// Whose signatures are asked for here.
    var trustedKeys: Set<Data> {
        guard case .anyOf(let keys) = self.configuration.signatures else { return [] }
        return keys
    }

    /// Keeps a signature with a slug; see ``SlugRepository/add(_:to:)``.
    public func add(_ signature: SlugSignature, to id: SlugID) async throws(SlugStoreError) {
        guard signature.isValid(for: id) else {
            throw SlugStoreError(code: .untrusted, message: "This is not a valid signature of the slug \(id).")
        }
        try await self.withRepository(.shared) { directory, _ throws(SlugStoreError) in
            guard try directory.hasRecord(of: id) else { throw directory.notFound(id) }
            let kept = try directory.signatures(of: id)
            guard kept.count < Self.maxSignatures || kept.contains(where: { $0.publicKey == signature.publicKey })
            else {
                throw SlugStoreError(
                    code: .limitExceeded, message: "The slug \(id) has \(kept.count) signatures, which is the limit.")
            }
            try directory.store(signature, of: id)
        }
    }

    /// Keeps valid signatures that are kept elsewhere too: of more than there may be, those of keys that are trusted here.
    func adopt(_ signatures: [SlugSignature], of id: SlugID) async throws(SlugStoreError) {
        guard !signatures.isEmpty else { return }
        let trusted = self.trustedKeys
        try await self.withRepository(.shared) { directory, _ throws(SlugStoreError) in
            guard try directory.hasRecord(of: id) else { throw directory.notFound(id) }
            // One that is damaged is replaced.
            var kept = Set(try directory.signatures(of: id).map(\.publicKey))
            // Those of trusted keys first, and for them others give way.
            for signature in signatures.sorted(by: { trusted.contains($0.publicKey) && !trusted.contains($1.publicKey) }
            )
            where !kept.contains(signature.publicKey) {
                if kept.count >= Self.maxSignatures {
                    guard trusted.contains(signature.publicKey), let other = kept.subtracting(trusted).first else {
                        return
                    }
                    try directory.removeSignature(of: id, by: other)
                    kept.remove(other)
                }
                try directory.store(signature, of: id)
                kept.insert(signature.publicKey)
            }
        }
    }

    /// The signatures that are kept with a slug; see ``SlugRepository/signatures(of:)``.
    public func signatures(of id: SlugID) async throws(SlugStoreError) -> [SlugSignature] {
        try await BlockingWork.run { _ throws(SlugStoreError) in
            let directory = try self.directory()
            guard try directory.hasRecord(of: id) else { throw directory.notFound(id) }
            return try directory.signatures(of: id)
        }
    }
}

/// A signature is a file of 64 bytes, under the names of its slug and its key: whoever adds one overwrites no other.
extension RepositoryDirectory {
    func store(_ signature: SlugSignature, of id: SlugID) throws(SlugStoreError) {
        let entry = try self.makeTemporaryFile()
        try Array(signature.signature).withBytes { bytes throws(SlugStoreError) in
            try entry.descriptor.write(bytes, at: 0, "Writing a signature of \(id)")
        }
        try self.replace(
            with: entry, as: "\(id.hex).\(hexadecimal(signature.publicKey))", in: self.signatures)
    }

    /// The valid signatures of a slug. One that is damaged vouches for nothing, and keeps no other from doing so.
    func signatures(of id: SlugID) throws(SlugStoreError) -> [SlugSignature] {
        var signatures: [SlugSignature] = []
        for name in try self.signatureNames(of: id).sorted() {
            if let signature = try self.signature(name, of: id) { signatures.append(signature) }
        }
        return signatures
    }

    /// The files of signatures that are not valid.
    func damagedSignatures(of id: SlugID) throws(SlugStoreError) -> [String] {
        var names: [String] = []
        for name in try self.signatureNames(of: id).sorted() where try self.signature(name, of: id) == nil {
            names.append(name)
        }
        return names
    }

    /// `nil` if it is damaged.
    private func signature(_ name: String, of id: SlugID) throws(SlugStoreError) -> SlugSignature? {
        let what = "Reading a signature of \(id)"
        guard let key = bytes(hexadecimal: String(name.dropFirst(id.hex.utf8.count + 1))) else { return nil }
        let file = try self.signatures.open(name.utf8, O_RDONLY, what)
        var bytes = [UInt8](repeating: 0, count: 65)
        let count = try bytes.withMutableBytes { buffer throws(SlugStoreError) in
            try file.read(into: buffer, what)
        }
        let signature = SlugSignature(publicKey: Data(key), signature: Data(bytes[..<count]))
        return count == 64 && signature.isValid(for: id) ? signature : nil
    }

    func removeSignature(of id: SlugID, by publicKey: Data) throws(SlugStoreError) {
        try self.signatures.unlink("\(id.hex).\(hexadecimal(publicKey))".utf8, "Removing a signature of \(id)")
    }

    func removeSignatures(of id: SlugID) throws(SlugStoreError) {
        for name in try self.signatureNames(of: id) {
            try self.signatures.unlink(name.utf8, "Removing a signature of \(id)")
        }
    }

    private func signatureNames(of id: SlugID) throws(SlugStoreError) -> [String] {
        try self.signatures.entries("Listing the signatures of \(id)").compactMap { entry in
            String(validating: entry.name, as: UTF8.self).flatMap { $0.hasPrefix(id.hex + ".") ? $0 : nil }
        }
    }
}
