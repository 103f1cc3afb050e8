public import SlugStore

extension RegistryClient {
    /// What an attempt must bring to be no failure.
    private static let worthwhileBytes: Int64 = 256 << 10

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
    private func followed(
        _ what: String, attempts: Int? = nil, _ request: RemoteRequest
    ) async throws(SlugStoreError) -> RemoteAnswer {
        var request = request
        for _ in 0..<4 {
            let answer = try await self.send(what, attempts: attempts, request)
            guard [301, 302, 303, 307, 308].contains(answer.status), let location = answer.header("Location") else {
                return answer
            }
            request.url = try self.resolve(location, what, from: request.url)
        }
        throw SlugStoreError(code: .invalidAnswer, message: "\(what): the registry refers from one place to the next.")
    }

    /// Reads a blob from its start or from where a reading has come, and hands its bytes on. After a failure it goes on from there;
    /// attempts that bring nothing worth mentioning are counted.
    /// - Parameters:
    ///   - digest: The blob.
    ///   - size: Its size, which is not 0.
    ///   - position: How far it was read.
    ///   - sink: Takes the bytes from there on, in pieces.
    func streamBlob(
        _ digest: String, size: Int64, position: () -> Int64,
        sink: @escaping @Sendable ([UInt8]) async throws(SlugStoreError) -> Void
    ) async throws(SlugStoreError) {
        let what = "Reading the blob \(digest) in \(self.configuration.repository)"
        var attempt = 1
        while true {
            let start = position()
            guard start < size else { return }
            var headers: [(name: String, value: String)] = []
            if start > 0 { headers = [(name: "Range", value: "bytes=\(start)-\(size - 1)")] }
            do throws(SlugStoreError) {
                // Sent again from here and not by the transport: the place that the registry referred to may be gone by then.
                let answer = try await self.followed(
                    what, attempts: 1,
                    RemoteRequest(
                        method: "GET", url: self.url("blobs/\(digest)"), headers: headers, range: start..<size,
                        sink: sink))
                guard [200, 206].contains(answer.status) else { throw self.failure(what, answer) }
                return
            } catch {
                if position() - start >= Self.worthwhileBytes { attempt = 1 }
                guard error.code == .remoteUnavailable, attempt < self.transport.configuration.attempts else {
                    throw error
                }
            }
            try await self.transport.pause(after: attempt)
            attempt += 1
        }
    }
}
