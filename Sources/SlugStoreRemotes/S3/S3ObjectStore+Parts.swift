import SlugStore
import Synchronization

extension S3ObjectStore {
    /// Sends a large file in parts, each of which is repeated by itself if it fails. If all fails, the parts are given up.
    func writeParts(of file: LocalFile, _ size: Int64, to key: ObjectKey) async throws(SlugStoreError) {
        let what = self.what("Writing", key)
        let answer = try await self.send(what, "POST", key: key, query: [("uploads", "")])
        guard answer.status == 200 else { throw self.failure(what, answer) }
        guard let upload = (try? XMLElement(parsing: answer.body))?["UploadId"]?.text, !upload.isEmpty else {
            throw SlugStoreError(code: .invalidAnswer, message: "\(what): there is no identifier of the upload.")
        }
        do throws(SlugStoreError) {
            let tags = try await self.sendParts(of: file, size, to: key, upload)
            try await self.complete(key, size, upload, tags)
        } catch {
            // Who has just been waited for in vain is asked once.
            let attempts = error.code == .remoteUnavailable ? 1 : nil
            // A task of its own, since this one may have been cancelled, and the parts would be paid for all the same.
            _ = await Task {
                try? await self.send(what, "DELETE", key: key, query: [("uploadId", upload)], attempts: attempts)
            }.value
            throw error
        }
    }

    private func sendParts(
        of file: LocalFile, _ size: Int64, to key: ObjectKey, _ upload: String
    ) async throws(SlugStoreError) -> [String] {
        // No more than 10,000 parts.
        let partBytes = max(self.configuration.partBytes, (size + 9_999) / 10_000)
        let count = Int((size + partBytes - 1) / partBytes)
        let outcome = await withTaskGroup(of: Result<(Int, String), SlugStoreError>.self) { group in
            var next = 0
            func start() {
                guard next < count else { return }
                let number = next
                next += 1
                group.addTask {
                    let start = Int64(number) * partBytes
                    do throws(SlugStoreError) {
                        let bytes = try await file.read(start..<min(start + partBytes, size))
                        return .success((number, try await self.sendPart(bytes, number + 1, of: key, upload)))
                    } catch {
                        return .failure(error)
                    }
                }
            }
            for _ in 0..<self.configuration.partsAtOnce { start() }
            var tags = [String](repeating: "", count: count)
            var failure: SlugStoreError?
            while let outcome = await group.next() {
                switch outcome {
                case .success(let (number, tag)): tags[number] = tag
                case .failure(let error):
                    if failure == nil { failure = error }
                    group.cancelAll()
                }
                if failure == nil { start() }
            }
            return failure.map { Result<[String], SlugStoreError>.failure($0) } ?? .success(tags)
        }
        return try outcome.get()
    }

    private func sendPart(
        _ bytes: [UInt8], _ number: Int, of key: ObjectKey, _ upload: String
    ) async throws(SlugStoreError) -> String {
        let what = self.what("Writing part \(number) of", key)
        let answer = try await self.send(
            what, "PUT", key: key, query: [("partNumber", "\(number)"), ("uploadId", upload)], body: .bytes(bytes),
            digest: SigV4.hex(Digest.sha256(bytes)))
        guard answer.status == 200 else { throw self.failure(what, answer) }
        guard let tag = answer.header("ETag"), tag.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x3c && $0 != 0x26 }) else {
            throw SlugStoreError(code: .invalidAnswer, message: "\(what): the answer has no tag of the part.")
        }
        return tag
    }

    private func complete(
        _ key: ObjectKey, _ size: Int64, _ upload: String, _ tags: [String]
    ) async throws(SlugStoreError) {
        let what = self.what("Completing", key)
        let parts = tags.enumerated().map { "<Part><PartNumber>\($0 + 1)</PartNumber><ETag>\($1)</ETag></Part>" }
            .joined()
        let body = Array("<CompleteMultipartUpload>\(parts)</CompleteMultipartUpload>".utf8)
        let answer = try await self.send(
            what, "POST", key: key, query: [("uploadId", upload)], headers: [("Content-Type", "application/xml")],
            body: .bytes(body), digest: SigV4.hex(Digest.sha256(body)))
        // An answer of 200 may hold an error, since S3 begins to answer before it is done. What the other element is called
        // depends on the server.
        if answer.status == 200, let result = try? XMLElement(parsing: answer.body), result.name != "Error",
            result["ETag"] != nil
        {
            return
        }
        // The attempt before this one may have succeeded without its answer arriving.
        if answer.status == 404, try await self.size(of: key) == size { return }
        var error = self.failure(what, answer)
        if answer.status == 200 { error.code = .remoteUnavailable }
        throw error
    }
}
