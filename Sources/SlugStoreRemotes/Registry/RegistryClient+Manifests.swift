public import SlugStore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension RegistryClient {
    /// A manifest as it is stored.
    public struct Manifest: Sendable, Hashable {
        /// What it is, as a digest.
        public var digest: String
        /// Of what kind it is.
        public var mediaType: String
        /// Its bytes.
        public var bytes: [UInt8]
    }

    /// A manifest by its tag or digest; `nil` if there is none.
    /// - Parameters:
    ///   - reference: A tag or a digest.
    ///   - accepting: The kinds that are wanted.
    public func manifest(_ reference: String, accepting: [String]) async throws(SlugStoreError) -> Manifest? {
        let what = "Reading the manifest \(reference) in \(self.configuration.repository)"
        let answer = try await self.send(
            what,
            RemoteRequest(
                method: "GET", url: self.url("manifests/\(reference)"),
                headers: [(name: "Accept", value: accepting.joined(separator: ", "))]))
        if answer.status == 404 { return nil }
        guard answer.status == 200 else { throw self.failure(what, answer) }
        let digest = "sha256:" + SigV4.hex(Digest.sha256(answer.body))
        guard !reference.hasPrefix("sha256:") || reference == digest else {
            throw SlugStoreError(code: .corrupted, message: "\(what): it has another digest, \(digest).")
        }
        return Manifest(digest: digest, mediaType: answer.header("Content-Type") ?? "", bytes: answer.body)
    }

    /// Stores a manifest, all of whose blobs are there.
    /// - Parameters:
    ///   - bytes: The manifest.
    ///   - mediaType: Of what kind it is.
    ///   - reference: A tag, which moves if it is there, or the manifest's digest.
    public func putManifest(
        _ bytes: [UInt8], mediaType: String, reference: String
    ) async throws(SlugStoreError) {
        let what = "Writing the manifest \(reference) in \(self.configuration.repository)"
        let answer = try await self.send(
            what,
            RemoteRequest(
                method: "PUT", url: self.url("manifests/\(reference)"),
                headers: [(name: "Content-Type", value: mediaType)], body: .bytes(bytes)))
        guard answer.status == 201 else { throw self.failure(what, answer) }
        let digest = "sha256:" + SigV4.hex(Digest.sha256(bytes))
        if let stored = answer.header("Docker-Content-Digest"), stored != digest {
            throw SlugStoreError(
                code: .invalidAnswer,
                message:
                    "\(what): the registry has stored it as \(printable(stored.utf8.prefix(80))), not as \(digest).")
        }
    }

    /// Whether there is a manifest of that digest.
    /// - Parameter digest: `sha256:` and 64 hexadecimal digits.
    public func hasManifest(_ digest: String) async throws(SlugStoreError) -> Bool {
        let what = "Looking at the manifest \(digest) in \(self.configuration.repository)"
        let answer = try await self.send(
            what,
            RemoteRequest(
                method: "HEAD", url: self.url("manifests/\(digest)"),
                headers: [
                    (
                        name: "Accept",
                        value: ImageMediaType.manifests.union(ImageMediaType.indexes).sorted().joined(separator: ", ")
                    )
                ]))
        if answer.status == 404 { return false }
        guard answer.status == 200 else { throw self.failure(what, answer) }
        return true
    }

    /// Deletes a manifest, and with it the tags that are on it.
    /// - Parameter digest: A digest, not a tag: what a tag is on may have changed.
    public func deleteManifest(_ digest: String) async throws(SlugStoreError) {
        let what = "Deleting the manifest \(digest) in \(self.configuration.repository)"
        let answer = try await self.send(what, RemoteRequest(method: "DELETE", url: self.url("manifests/\(digest)")))
        guard [200, 202, 404].contains(answer.status) else { throw self.failure(what, answer) }
    }

    private struct Tags: Decodable {
        var tags: [String]?
    }

    /// All tags of the repository.
    public func tags() async throws(SlugStoreError) -> [String] {
        let what = "Listing the tags in \(self.configuration.repository)"
        var tags: [String] = []
        var url = self.url("tags/list?n=1000")
        while true {
            let answer = try await self.send(what, RemoteRequest(method: "GET", url: url))
            // A repository begins with its first blob.
            if answer.status == 404, tags.isEmpty { return [] }
            guard answer.status == 200 else { throw self.failure(what, answer) }
            guard let page = try? JSONDecoder().decode(Tags.self, from: Data(answer.body)) else {
                throw SlugStoreError(code: .invalidAnswer, message: "\(what): the list cannot be read.")
            }
            tags += page.tags ?? []
            guard tags.count <= self.configuration.listedTags else {
                throw SlugStoreError(
                    code: .limitExceeded,
                    message: "\(what): there are more than \(self.configuration.listedTags) tags (listedTags).")
            }
            guard let next = answer.header("Link").flatMap({ Self.next($0) }) else { return tags }
            let following = try self.resolve(next, what)
            guard following != url, !(page.tags ?? []).isEmpty else {
                throw SlugStoreError(code: .invalidAnswer, message: "\(what): the list goes on without end.")
            }
            url = following
        }
    }

    /// The target of `<…>; rel="next"`.
    static func next(_ link: String) -> String? {
        guard let start = link.firstIndex(of: "<"), let end = link[start...].firstIndex(of: ">"),
            link[end...].contains("next")
        else { return nil }
        return String(link[link.index(after: start)..<end])
    }
}
