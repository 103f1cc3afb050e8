public import SlugStore
import Synchronization
public import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Objects in a repository of an OCI registry: each is a blob, and a small manifest with the key as its tag.
///
/// The registry must allow deletion (`REGISTRY_STORAGE_DELETE_ENABLED=true` for the reference implementation) for garbage to
/// be collected; it frees the space of blobs when it collects its own garbage. It lists and reads all tags to list any, so a
/// registry suits some thousands of slugs, not millions.
public final class RegistryObjectStore: ObjectStore, Sendable {
    /// What the registry is spoken to with.
    public let client: RegistryClient
    private let immutablePrefixes: [String]
    /// Manifests whose blob never changes, as long as they are not too many.
    private let known = Mutex<[ObjectKey: Descriptor]>([:])

    /// Makes a store.
    /// - Parameters:
    ///   - client: What the registry is spoken to with.
    ///   - immutablePrefixes: Keys that start so are written once, so that what they are need be asked only once.
    ///     `TieredSlugRepository` writes what starts with `packs/` once, and no other keys.
    public init(client: RegistryClient, immutablePrefixes: [String] = []) {
        self.client = client
        self.immutablePrefixes = immutablePrefixes
    }

    static let manifestType = "application/vnd.oci.image.manifest.v1+json"
    static let artifactType = "application/vnd.slipway.object.v1"
    static let emptyType = "application/vnd.oci.empty.v1+json"
    private static let empty = Array("{}".utf8)
    private static let maximumKnown = 10_000

    struct Descriptor: Codable, Sendable, Hashable {
        var mediaType: String
        var digest: String
        var size: Int64
    }

    struct Manifest: Codable, Sendable {
        var schemaVersion = 2
        var mediaType: String?
        var artifactType: String?
        var config: Descriptor
        var layers: [Descriptor]
        var annotations: [String: String]?
    }

    // A tag has no slash, and a key no underscore.
    static func tag(_ key: ObjectKey) -> String { String(key.description.map { $0 == "/" ? "_" : $0 }) }

    static func key(_ tag: String) -> ObjectKey? { ObjectKey(String(tag.map { $0 == "_" ? "/" : $0 })) }

    /// Writes an object.
    public func write(_ bytes: [UInt8], to key: ObjectKey) async throws(SlugStoreError) {
        try await self.tag(key) { () throws(SlugStoreError) in
            (try await self.client.uploadBlob(bytes), Int64(bytes.count))
        }
    }

    /// Writes an object from a file.
    public func write(contentsOf file: FilePath, to key: ObjectKey) async throws(SlugStoreError) {
        try await self.tag(key) { () throws(SlugStoreError) in try await self.client.uploadBlob(contentsOf: file) }
    }

    /// Uploads and tags. A registry may say that it has a blob which another upload is just about to put into its place, and
    /// then not find it for the manifest: so once more, a moment later.
    private func tag(
        _ key: ObjectKey, _ upload: () async throws(SlugStoreError) -> (digest: String, bytes: Int64)
    ) async throws(SlugStoreError) {
        var attempt = 1
        while true {
            do throws(SlugStoreError) {
                let (digest, bytes) = try await upload()
                return try await self.tag(digest, bytes, as: key)
            } catch {
                guard error.message.contains("BLOB_UNKNOWN"), attempt < self.client.transport.configuration.attempts
                else { throw error }
            }
            try await self.client.transport.pause(after: attempt)
            attempt += 1
        }
    }

    private func tag(_ digest: String, _ bytes: Int64, as key: ObjectKey) async throws(SlugStoreError) {
        let config = try await self.client.uploadBlob(Self.empty)
        let manifest = Manifest(
            mediaType: Self.manifestType, artifactType: Self.artifactType,
            config: Descriptor(mediaType: Self.emptyType, digest: config, size: Int64(Self.empty.count)),
            layers: [Descriptor(mediaType: "application/octet-stream", digest: digest, size: bytes)],
            // Without it, two objects of the same bytes would be one manifest, and be deleted together.
            annotations: ["dev.slipway.key": key.description])
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let encoded = try? encoder.encode(manifest) else {
            throw SlugStoreError(code: .inputOutput, message: "The manifest of \(key) cannot be encoded.")
        }
        try await self.client.putManifest(Array(encoded), mediaType: Self.manifestType, reference: Self.tag(key))
        self.known.withLock { $0[key] = nil }
    }

    /// The bytes of a range of an object.
    public func read(_ key: ObjectKey, range: Range<Int64>) async throws(SlugStoreError) -> [UInt8] {
        guard let blob = try await self.blob(key) else {
            throw SlugStoreError(
                code: .notFound, message: "There is no object \(key) in \(self.client.configuration.repository).")
        }
        let range = range.clamped(to: 0..<blob.size)
        let bytes = try await self.client.readBlob(blob.digest, range: range)
        guard bytes.count == range.count else {
            throw SlugStoreError(
                code: .invalidAnswer,
                message:
                    "The registry sent \(bytes.count) of \(range.count) bytes of \(key): the blob is shorter than said."
            )
        }
        guard range != 0..<blob.size || "sha256:" + SigV4.hex(Digest.sha256(bytes)) == blob.digest else {
            throw SlugStoreError(code: .corrupted, message: "The object \(key) is not what its digest says.")
        }
        return bytes
    }

    /// The size of an object.
    public func size(of key: ObjectKey) async throws(SlugStoreError) -> Int64? { try await self.blob(key)?.size }

    /// Deletes an object.
    public func delete(_ key: ObjectKey) async throws(SlugStoreError) {
        self.known.withLock { $0[key] = nil }
        let manifest = try await self.client.manifest(Self.tag(key), accepting: [Self.manifestType])
        guard let manifest else { return }
        try await self.client.deleteManifest(manifest.digest)
    }

    /// The keys that start with `prefix`.
    public func list(prefix: String) async throws(SlugStoreError) -> [ObjectKey] {
        try await self.client.tags().compactMap { Self.key($0) }.filter { $0.description.hasPrefix(prefix) }
    }

    private func blob(_ key: ObjectKey) async throws(SlugStoreError) -> Descriptor? {
        let isImmutable = self.immutablePrefixes.contains { key.description.hasPrefix($0) }
        if isImmutable, let blob = self.known.withLock({ $0[key] }) { return blob }
        guard let stored = try await self.client.manifest(Self.tag(key), accepting: [Self.manifestType]) else {
            return nil
        }
        guard let manifest = try? JSONDecoder().decode(Manifest.self, from: Data(stored.bytes)),
            manifest.layers.count == 1, let blob = manifest.layers.first, blob.size >= 0,
            blob.digest.hasPrefix("sha256:"), blob.digest.utf8.count == 71,
            blob.digest.utf8.dropFirst(7).allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else {
            throw SlugStoreError(
                code: .invalidAnswer,
                message: "The manifest \(Self.tag(key)) in \(self.client.configuration.repository) is not of an object."
            )
        }
        if isImmutable {
            self.known.withLock { known in
                if known.count >= Self.maximumKnown { known.removeAll() }
                known[key] = blob
            }
        }
        return blob
    }
}
