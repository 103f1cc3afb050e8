public import SlugStore
public import SystemPackage

/// Objects in an S3 bucket, of AWS or of anybody else who speaks its protocol.
///
/// It lists, reads, writes and deletes below its prefix; the credentials need `s3:ListBucket`, `s3:GetObject`,
/// `s3:PutObject`, `s3:DeleteObject` and `s3:AbortMultipartUpload`. A rule of the bucket that aborts incomplete multipart
/// uploads after some days frees what a crash leaves.
public struct S3ObjectStore: ObjectStore, Sendable {
    /// How it was configured.
    public let configuration: Configuration
    let transport: RemoteTransport
    private let signer: SigV4

    /// Makes a store. Nothing is asked for before the first call.
    /// - Throws: `SlugStoreError.Code.remoteRefused` if the bucket's name, the prefix or a size is not one.
    public init(configuration: Configuration, transport: RemoteTransport) throws(SlugStoreError) {
        func refuse(_ message: String) -> SlugStoreError { SlugStoreError(code: .remoteRefused, message: message) }
        let bucket = configuration.bucket
        guard (3...63).contains(bucket.utf8.count),
            bucket.utf8.allSatisfy({
                (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) || [0x2d, 0x2e].contains($0)
            })
        else {
            throw refuse(
                "\"\(bucket)\" cannot be the name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens.")
        }
        guard configuration.prefix.utf8.count <= 800, !configuration.prefix.hasPrefix("/"),
            !configuration.prefix.split(separator: "/").contains(where: { $0 == "." || $0 == ".." })
        else {
            throw refuse("The prefix of keys has 800 bytes at most, does not begin with / and has no . or .. in it.")
        }
        guard configuration.partBytes >= 5 << 20, configuration.partBytes <= 5 << 30, configuration.partsAtOnce > 0
        else {
            throw refuse(
                "A part has 5 MiB to 5 GiB, not \(configuration.partBytes) bytes, and one at least is sent at once.")
        }
        self.configuration = configuration
        self.transport = transport
        let credentials = configuration.credentials
        self.signer = SigV4(
            accessKeyID: credentials.accessKeyID, secretAccessKey: credentials.secretAccessKey,
            sessionToken: credentials.sessionToken, region: configuration.region)
    }

    // MARK: Objects

    /// Writes an object.
    public func write(_ bytes: [UInt8], to key: ObjectKey) async throws(SlugStoreError) {
        let what = self.what("Writing", key)
        let digest = SigV4.hex(Digest.sha256(bytes))
        let answer = try await self.send(what, "PUT", key: key, body: .bytes(bytes), digest: digest)
        guard answer.status == 200 else { throw self.failure(what, answer) }
    }

    /// Writes an object from a file: in parts if it is large.
    public func write(contentsOf file: FilePath, to key: ObjectKey) async throws(SlugStoreError) {
        let file = LocalFile(file)
        let size = try await file.bytes
        guard size < self.configuration.multipartBytes else {
            return try await self.writeParts(of: file, size, to: key)
        }
        let what = self.what("Writing", key)
        let digest = self.omitsDigest ? nil : try await file.digest()
        // An empty stream and no stream are not the same to all servers.
        let body: RemoteRequest.Body = size == 0 ? .bytes([]) : .file(file, 0..<size)
        let answer = try await self.send(what, "PUT", key: key, body: body, digest: digest)
        guard answer.status == 200 else { throw self.failure(what, answer) }
    }

    /// The bytes of a range of an object.
    public func read(_ key: ObjectKey, range: Range<Int64>) async throws(SlugStoreError) -> [UInt8] {
        guard !range.isEmpty else { return [] }
        let what = self.what("Reading", key)
        let answer = try await self.send(
            what, "GET", key: key, headers: [("Range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")],
            range: range)
        switch answer.status {
        case 200, 206: return answer.body
        case 416: return []
        default: throw self.failure(what, answer)
        }
    }

    /// The size of an object.
    public func size(of key: ObjectKey) async throws(SlugStoreError) -> Int64? {
        let what = self.what("Looking at", key)
        let answer = try await self.send(what, "HEAD", key: key)
        if answer.status == 404 { return nil }
        guard answer.status == 200 else { throw self.failure(what, answer) }
        guard let size = answer.header("Content-Length").flatMap({ Int64($0) }), size >= 0 else {
            throw SlugStoreError(code: .invalidAnswer, message: "\(what): the answer does not say how long it is.")
        }
        return size
    }

    /// Deletes an object.
    public func delete(_ key: ObjectKey) async throws(SlugStoreError) {
        let what = self.what("Deleting", key)
        let answer = try await self.send(what, "DELETE", key: key)
        guard [200, 204, 404].contains(answer.status) else { throw self.failure(what, answer) }
    }

    /// The keys that start with `prefix`.
    public func list(prefix: String) async throws(SlugStoreError) -> [ObjectKey] {
        let what = "Listing \(self.configuration.prefix)\(prefix) in the bucket \(self.configuration.bucket)"
        func invalid(_ message: String) -> SlugStoreError {
            SlugStoreError(code: .invalidAnswer, message: "\(what): the list \(message).")
        }
        var keys: [ObjectKey] = []
        var listed = 0
        var token: String?
        while true {
            var query = [("list-type", "2"), ("prefix", self.configuration.prefix + prefix)]
            if let token { query.append(("continuation-token", token)) }
            let answer = try await self.send(what, "GET", query: query)
            guard answer.status == 200 else { throw self.failure(what, answer) }
            let document: XMLElement
            do throws(XMLElement.Malformed) {
                document = try XMLElement(parsing: answer.body)
            } catch {
                throw invalid("\(error.what) (at byte \(error.offset))")
            }
            guard document.name == "ListBucketResult" else { throw invalid("is a \(document.name)") }
            let contents = document.children.filter { $0.name == "Contents" }
            for object in contents {
                guard let key = object["Key"]?.text, key.hasPrefix(self.configuration.prefix + prefix) else {
                    throw invalid("has an object that was not asked for")
                }
                // What others have put there is none of ours.
                if let key = ObjectKey(String(key.dropFirst(self.configuration.prefix.count))) { keys.append(key) }
            }
            listed += contents.count
            guard listed <= self.configuration.listedObjects else {
                throw SlugStoreError(
                    code: .limitExceeded,
                    message: "\(what): there are more than \(self.configuration.listedObjects) objects (listedObjects)."
                )
            }
            guard document["IsTruncated"]?.text == "true" else { return keys }
            guard let next = document["NextContinuationToken"]?.text, !next.isEmpty, next != token, !contents.isEmpty
            else { throw invalid("goes on without end") }
            token = next
        }
    }

    // MARK: Requests

    private var omitsDigest: Bool { self.configuration.omitsPayloadDigest && self.configuration.endpoint.isSecure }

    func what(_ verb: String, _ key: ObjectKey) -> String {
        "\(verb) \(self.configuration.prefix)\(key) in the bucket \(self.configuration.bucket)"
    }

    /// - Parameters:
    ///   - digest: Of the body; `nil` if there is none, or none is to be said.
    ///   - attempts: Fewer than configured.
    func send(
        _ what: String, _ method: String, key: ObjectKey? = nil, query: [(String, String)] = [],
        headers: [(String, String)] = [], body: RemoteRequest.Body = .none, digest: String? = nil,
        range: Range<Int64>? = nil, attempts: Int? = nil
    ) async throws(SlugStoreError) -> RemoteAnswer {
        let endpoint = self.configuration.endpoint
        var host = endpoint.authority
        var path = key.map { "/" + SigV4.encoded(self.configuration.prefix + $0.description, keeping: [0x2f]) } ?? "/"
        switch self.configuration.addressing {
        case .virtualHost: host = "\(self.configuration.bucket).\(host)"
        case .path: path = "/\(self.configuration.bucket)" + (key == nil ? "" : path)
        }
        let payload: String
        switch body {
        case .none: payload = SigV4.hex(Digest.sha256([]))
        default: payload = digest ?? SigV4.unsignedPayload
        }
        let target = "\(endpoint.isSecure ? "https" : "http")://\(host)\(path)"
        let url = query.isEmpty ? target : "\(target)?\(SigV4.query(query.map { (name: $0.0, value: $0.1) }))"
        return try await self.transport.send(what, attempts: attempts) { () throws(SlugStoreError) in
            // Dated, and so signed, anew for each attempt.
            let signed = self.signer.headers(
                method: method, path: path, query: query.map { (name: $0.0, value: $0.1) },
                headers: headers.map { (name: $0.0, value: $0.1) } + [(name: "Host", value: host)],
                payloadHash: payload,
                date: self.configuration.now())
            return RemoteRequest(
                method: method, url: url, headers: headers.map { (name: $0.0, value: $0.1) } + signed, body: body,
                range: range)
        }
    }

    /// What an answer that is none of the good ones means, and what to do.
    func failure(_ what: String, _ answer: RemoteAnswer) -> SlugStoreError {
        let document = try? XMLElement(parsing: answer.body)
        let code = document?["Code"]?.text ?? ""
        let said =
            document.map { String("\(code) \($0["Message"]?.text ?? "")".prefix(300)) }.map {
                ", \(RemoteAnswer.line(of: $0))"
            } ?? answer.excerpt
        let region = (answer.header("x-amz-bucket-region") ?? document?["Region"]?.text).map {
            RemoteAnswer.line(of: String($0.prefix(80)))
        }
        func error(_ code: SlugStoreError.Code, _ advice: String) -> SlugStoreError {
            SlugStoreError(code: code, message: "\(what): the server answered \(answer.status)\(said). \(advice)")
        }
        switch (answer.status, code) {
        case (300..<400, _), (400, "AuthorizationHeaderMalformed"):
            return error(
                .remoteRefused,
                region.map { "The bucket is in the region \($0); \(self.configuration.region) is configured." }
                    ?? "The bucket is in another region or at another endpoint.")
        case (400, "XAmzContentSHA256Mismatch"), (400, "BadDigest"):
            return error(.remoteUnavailable, "The bytes changed on their way, or the file while it was sent.")
        case (403, "RequestTimeTooSkewed"):
            return error(.unauthorised, "Set this machine's clock.")
        case (401, _), (403, _):
            return error(
                .unauthorised,
                "Check the access key \(self.configuration.credentials) and what it may do in the bucket "
                    + "(s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject).")
        case (404, "NoSuchBucket"):
            return error(.remoteRefused, "Make the bucket, or correct its name.")
        case (404, _):
            return SlugStoreError(code: .notFound, message: "\(what): there is no such object.")
        case (200..<300, _), (..<200, _):
            return error(.invalidAnswer, "That is not what the protocol says.")
        default:
            return error(.remoteRefused, "Another attempt would fail, too.")
        }
    }
}
