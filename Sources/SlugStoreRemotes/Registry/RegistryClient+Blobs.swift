public import SlugStore
public import SystemPackage

extension RegistryClient {
    /// The size of a blob; `nil` if there is none.
    /// - Parameter digest: `sha256:` and 64 hexadecimal digits.
    public func blobBytes(_ digest: String) async throws(SlugStoreError) -> Int64? {
        let what = "Looking at the blob \(digest) in \(self.configuration.repository)"
        let answer = try await self.followed(what, RemoteRequest(method: "HEAD", url: self.url("blobs/\(digest)")))
        if answer.status == 404 { return nil }
        guard answer.status == 200 else { throw self.failure(what, answer) }
        return answer.header("Content-Length").flatMap { Int64($0) } ?? 0
    }

    /// The bytes of a range of a blob; fewer only where it ends before the range does. A registry that does not know of
    /// ranges sends all up to the end of it.
    public func readBlob(_ digest: String, range: Range<Int64>) async throws(SlugStoreError) -> [UInt8] {
        guard !range.isEmpty else { return [] }
        let what = "Reading the blob \(digest) in \(self.configuration.repository)"
        let answer = try await self.followed(
            what,
            RemoteRequest(
                method: "GET", url: self.url("blobs/\(digest)"),
                headers: [(name: "Range", value: "bytes=\(range.lowerBound)-\(range.upperBound - 1)")], range: range))
        switch answer.status {
        case 200, 206: return answer.body
        case 416: return []
        default: throw self.failure(what, answer)
        }
    }

    /// Follows where a registry keeps its blobs, a few steps and without credentials.
    private func followed(_ what: String, _ request: RemoteRequest) async throws(SlugStoreError) -> RemoteAnswer {
        var request = request
        for _ in 0..<4 {
            let answer = try await self.send(what, request)
            guard [301, 302, 303, 307, 308].contains(answer.status), let location = answer.header("Location") else {
                return answer
            }
            request.url = try self.resolve(location, what)
        }
        throw SlugStoreError(code: .invalidAnswer, message: "\(what): the registry refers from one place to the next.")
    }

    /// Stores bytes as a blob, unless it is there.
    /// - Returns: Its digest.
    public func uploadBlob(_ bytes: [UInt8]) async throws(SlugStoreError) -> String {
        let digest = "sha256:" + SigV4.hex(Digest.sha256(bytes))
        if try await self.blobBytes(digest) == Int64(bytes.count) { return digest }
        try await self.uploadWhole(.bytes(bytes), digest)
        return digest
    }

    /// Stores a file as a blob, unless it is there: in one request, or in chunks if it is large.
    /// - Returns: Its digest and size.
    public func uploadBlob(contentsOf path: FilePath) async throws(SlugStoreError) -> (digest: String, bytes: Int64) {
        let file = LocalFile(path)
        let size = try await file.bytes
        let digest = "sha256:" + (try await file.digest())
        if try await self.blobBytes(digest) == size { return (digest, size) }
        if size > self.configuration.chunkBytes {
            try await self.uploadChunks(of: file, size, digest)
        } else {
            try await self.uploadWhole(size == 0 ? .bytes([]) : .file(file, 0..<size), digest)
        }
        return (digest, size)
    }

    private func uploadWhole(_ body: RemoteRequest.Body, _ digest: String) async throws(SlugStoreError) {
        let what = "Sending the blob \(digest) to \(self.configuration.repository)"
        let location = try await self.beginUpload(what)
        try await self.finishUpload(what, location, digest, body)
    }

    private func beginUpload(_ what: String) async throws(SlugStoreError) -> String {
        let answer = try await self.send(
            what,
            RemoteRequest(
                method: "POST", url: self.url("blobs/uploads/"), headers: [(name: "Content-Length", value: "0")]))
        guard answer.status == 202, let location = answer.header("Location") else { throw self.failure(what, answer) }
        return try self.resolve(location, what)
    }

    private func finishUpload(
        _ what: String, _ location: String, _ digest: String, _ body: RemoteRequest.Body
    ) async throws(SlugStoreError) {
        let url = location + (location.contains("?") ? "&" : "?") + SigV4.query([(name: "digest", value: digest)])
        let answer = try await self.send(
            what,
            RemoteRequest(
                method: "PUT", url: url, headers: [(name: "Content-Type", value: "application/octet-stream")],
                body: body))
        if answer.status == 201 { return }
        // The attempt before this one may have succeeded without its answer arriving: the upload is gone, the blob there.
        if answer.status == 404, try await self.blobBytes(digest) != nil { return }
        var error = self.failure(what, answer)
        if answer.status == 404 { error.code = .remoteUnavailable }
        throw error
    }

    /// A chunk that fails is not sent again blindly: the registry says how far it has come.
    private func uploadChunks(of file: LocalFile, _ size: Int64, _ digest: String) async throws(SlugStoreError) {
        let what = "Sending the blob \(digest) to \(self.configuration.repository)"
        var location = try await self.beginUpload(what)
        var sent: Int64 = 0
        var failures = 0
        while sent < size {
            let range = sent..<min(sent + self.configuration.chunkBytes, size)
            let request = RemoteRequest(
                method: "PATCH", url: location,
                headers: [
                    (name: "Content-Type", value: "application/octet-stream"),
                    (name: "Content-Range", value: "\(range.lowerBound)-\(range.upperBound - 1)"),
                ], body: .file(file, range))
            var failure: SlugStoreError
            do throws(SlugStoreError) {
                let answer = try await self.send(what, attempts: 1, request)
                if answer.status == 202, let next = answer.header("Location") {
                    location = try self.resolve(next, what)
                    sent = range.upperBound
                    continue
                }
                failure = self.failure(what, answer)
                guard answer.status == 416 else { throw failure }
            } catch {
                guard error.code == .remoteUnavailable else { throw error }
                failure = error
            }
            failures += 1
            guard failures < self.transport.configuration.attempts else { throw failure }
            let status = try await self.send(what, RemoteRequest(method: "GET", url: location))
            guard status.status == 204 else { throw self.failure(what, status) }
            if let next = status.header("Location") { location = try self.resolve(next, what) }
            // `0-41` for 42 bytes; some say `0-0` for none, which is then refused and asked about again.
            let last = status.header("Range").flatMap { $0.split(separator: "-").last }.flatMap { Int64($0) } ?? -1
            guard (-1..<size).contains(last) else {
                throw SlugStoreError(code: .invalidAnswer, message: "\(what): the registry has more than there is.")
            }
            sent = last <= 0 ? 0 : last + 1
        }
        try await self.finishUpload(what, location, digest, .bytes([]))
    }
}
