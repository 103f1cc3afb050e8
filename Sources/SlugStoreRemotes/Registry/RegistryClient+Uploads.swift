public import SlugStore
public import SystemPackage

extension RegistryClient {
    /// Stores bytes as a blob, unless it is there.
    /// - Parameter bytes: The blob.
    /// - Returns: Its digest.
    public func uploadBlob(_ bytes: [UInt8]) async throws(SlugStoreError) -> String {
        let digest = "sha256:" + SigV4.hex(Digest.sha256(bytes))
        if try await self.blobBytes(digest) == Int64(bytes.count) { return digest }
        try await self.upload(.bytes(bytes), digest)
        return digest
    }

    /// Stores a file as a blob, unless it is there: in one request, or in chunks if it is large.
    /// - Parameter path: The file, which nobody changes meanwhile.
    /// - Returns: Its digest and size.
    public func uploadBlob(contentsOf path: FilePath) async throws(SlugStoreError) -> (digest: String, bytes: Int64) {
        let file = LocalFile(path)
        let size = try await file.bytes
        let digest = "sha256:" + (try await file.digest())
        if try await self.blobBytes(digest) == size { return (digest, size) }
        try await self.upload(size == 0 ? .bytes([]) : .file(file, 0..<size), digest)
        return (digest, size)
    }

    /// Stores a file as a blob whose digest is known. The registry refuses it if it is another.
    /// - Parameters:
    ///   - digest: `sha256:` and 64 hexadecimal digits.
    ///   - path: The file, which nobody changes meanwhile.
    ///   - progress: Is called now and then with how many bytes have gone out, never twice at a time. It starts over if all
    ///     has to be sent again.
    /// - Throws: `SlugStoreError.Code.remoteUnavailable` after the last attempt, `SlugStoreError.Code.remoteRefused` if
    ///   the registry does not want it, among others.
    public func uploadBlob(
        _ digest: String, contentsOf path: FilePath, progress: (@Sendable (Int64) -> Void)? = nil
    ) async throws(SlugStoreError) {
        let file = LocalFile(path)
        let size = try await file.bytes
        try await self.upload(size == 0 ? .bytes([]) : .file(file, 0..<size), digest, progress)
    }

    /// Makes a blob of another repository of the registry one of this, if the registry does that and these credentials allow
    /// it. Nothing is moved.
    /// - Parameters:
    ///   - digest: `sha256:` and 64 hexadecimal digits.
    ///   - repository: Where it is.
    /// - Returns: Whether it is here now.
    public func mountBlob(_ digest: String, from repository: String) async throws(SlugStoreError) -> Bool {
        guard Self.isName(repository) else {
            throw SlugStoreError(
                code: .remoteRefused, message: "\"\(repository)\" cannot be the name of a repository.")
        }
        guard self.noteSource(repository) else { return false }
        let what = "Mounting the blob \(digest) of \(repository) in \(self.configuration.repository)"
        let query = SigV4.query([(name: "mount", value: digest), (name: "from", value: repository)])
        let answer: RemoteAnswer
        do throws(SlugStoreError) {
            answer = try await self.send(
                what,
                RemoteRequest(
                    method: "POST", url: self.url("blobs/uploads/?\(query)"),
                    headers: [(name: "Content-Length", value: "0")]))
        } catch {
            // No token for both repositories; there may be one for this alone, to send the blob with.
            guard error.code == .unauthorised else { throw error }
            self.forgetSource(repository)
            return false
        }
        switch answer.status {
        case 201:
            return true
        case 202:
            // An upload has begun in its place, which nobody wants. That it cannot be taken back is no harm: registries forget
            // uploads that do not go on.
            if let location = answer.header("Location") {
                let request = RemoteRequest(method: "DELETE", url: try self.resolve(location, what))
                do throws(SlugStoreError) {
                    _ = try await self.send(what, attempts: 1, request)
                } catch {
                    guard error.code == .remoteUnavailable else { throw error }
                }
            }
            return false
        case 401, 403, 404, 405: return false
        default: throw self.failure(what, answer)
        }
    }

    // MARK: Sessions

    /// An upload that the registry has begun.
    private struct Session {
        var location: String
        /// What the registry wants every chunk to have but the last.
        var minimumChunk: Int64
    }

    /// Sends a blob; if that fails on the way, again from the start of an upload, since nobody can tell what became of the one
    /// before.
    private func upload(
        _ body: RemoteRequest.Body, _ digest: String, _ progress: (@Sendable (Int64) -> Void)? = nil
    ) async throws(SlugStoreError) {
        let what = "Sending the blob \(digest) to \(self.configuration.repository)"
        var attempt = 1
        while true {
            let session = try await self.beginUpload(what)
            do throws(SlugStoreError) {
                if case .file(let file, let range) = body, Int64(range.count) > self.configuration.chunkBytes {
                    return try await self.uploadChunks(of: file, Int64(range.count), digest, session, what, progress)
                }
                return try await self.finishUpload(what, session.location, digest, body, progress)
            } catch {
                guard error.code == .remoteUnavailable, attempt < self.transport.configuration.attempts else {
                    throw error
                }
            }
            try await self.transport.pause(after: attempt)
            attempt += 1
            // It may have succeeded without its answer arriving.
            if try await self.blobBytes(digest) == body.count { return }
        }
    }

    private func beginUpload(_ what: String) async throws(SlugStoreError) -> Session {
        let answer = try await self.send(
            what,
            RemoteRequest(
                method: "POST", url: self.url("blobs/uploads/"), headers: [(name: "Content-Length", value: "0")]))
        guard answer.status == 202, let location = answer.header("Location") else { throw self.failure(what, answer) }
        return Session(
            location: try self.resolve(location, what),
            minimumChunk: answer.header("OCI-Chunk-Min-Length").flatMap { Int64($0) } ?? 0)
    }

    private func finishUpload(
        _ what: String, _ location: String, _ digest: String, _ body: RemoteRequest.Body,
        _ progress: (@Sendable (Int64) -> Void)? = nil
    ) async throws(SlugStoreError) {
        let url = location + (location.contains("?") ? "&" : "?") + SigV4.query([(name: "digest", value: digest)])
        let answer = try await self.send(
            what, attempts: 1,
            RemoteRequest(
                method: "PUT", url: url, headers: [(name: "Content-Type", value: "application/octet-stream")],
                body: body, progress: progress))
        guard answer.status == 201 else { throw self.lost(what, answer) }
        if let stored = answer.header("Docker-Content-Digest"), stored != digest {
            throw SlugStoreError(
                code: .invalidAnswer,
                message: "\(what): the registry has stored it as \(printable(stored.utf8.prefix(80))).")
        }
    }

    /// A registry that was started anew knows nothing of an upload that it had begun; another upload may succeed.
    private func lost(_ what: String, _ answer: RemoteAnswer) -> SlugStoreError {
        var error = self.failure(what, answer)
        if answer.status == 404 { error.code = .remoteUnavailable }
        return error
    }

    /// A chunk that fails is not sent again blindly: the registry says how far it has come.
    private func uploadChunks(
        of file: LocalFile, _ size: Int64, _ digest: String, _ session: Session, _ what: String,
        _ progress: (@Sendable (Int64) -> Void)?
    ) async throws(SlugStoreError) {
        // More than asked for is sent at a time only where the registry insists, and never so much that it is of no use.
        let chunk = max(self.configuration.chunkBytes, min(session.minimumChunk, 1 << 30))
        var location = session.location
        var sent: Int64 = 0
        var failures = 0
        while sent < size {
            let range = sent..<min(sent + chunk, size)
            var request = RemoteRequest(
                method: "PATCH", url: location,
                headers: [
                    (name: "Content-Type", value: "application/octet-stream"),
                    (name: "Content-Range", value: "\(range.lowerBound)-\(range.upperBound - 1)"),
                ], body: .file(file, range))
            if let progress { request.progress = { progress(range.lowerBound + $0) } }
            var failure: SlugStoreError
            do throws(SlugStoreError) {
                let answer = try await self.send(what, attempts: 1, request)
                if answer.status == 202, let next = answer.header("Location") {
                    location = try self.resolve(next, what)
                    sent = range.upperBound
                    continue
                }
                failure = self.lost(what, answer)
                guard answer.status == 416 else { throw failure }
            } catch {
                guard error.code == .remoteUnavailable else { throw error }
                failure = error
            }
            failures += 1
            guard failures < self.transport.configuration.attempts else { throw failure }
            try await self.transport.pause(after: failures)
            let status = try await self.send(what, RemoteRequest(method: "GET", url: location))
            guard status.status == 204 else { throw self.lost(what, status) }
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
