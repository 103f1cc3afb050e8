import Synchronization

@testable import SlugStoreRemotes

/// A registry in memory, for tests that count what it is asked, or let it break.
final class MemoryRegistry: Sendable {
    struct State {
        /// By repository and digest.
        var blobs: [String: [UInt8]] = [:]
        /// By repository and tag or digest.
        var manifests: [String: (type: String, bytes: [UInt8])] = [:]
        var uploads: [Int: [UInt8]] = [:]
        var nextUpload = 1
    }

    private let state = Mutex(State())

    var content: State { self.state.withLock { $0 } }

    func change(_ body: (inout sending State) -> Void) { self.state.withLock { body(&$0) } }

    static func digest(_ bytes: [UInt8]) -> String { "sha256:" + SigV4.hex(Digest.sha256(bytes)) }

    func answer(_ request: ScriptedServer.Request) -> ScriptedServer.Answer {
        let parts = request.uri.split(separator: "?", maxSplits: 1).map(String.init)
        var query: [String: String] = [:]
        for pair in parts.count > 1 ? parts[1].split(separator: "&") : [] {
            let pair = pair.split(separator: "=", maxSplits: 1).map(String.init)
            query[pair[0]] = pair.count > 1 ? Self.decoded(pair[1]) : ""
        }
        for (mark, answer) in [
            ("/blobs/uploads/", self.upload), ("/blobs/", self.blob), ("/manifests/", self.manifest),
        ] {
            guard let range = parts[0].firstRange(of: mark) else { continue }
            return answer(
                request, String(parts[0][..<range.lowerBound].dropFirst(4)), String(parts[0][range.upperBound...]),
                query)
        }
        return .init(status: 404)
    }

    private static func decoded(_ text: String) -> String {
        text.replacing("%3A", with: ":").replacing("%2F", with: "/")
    }

    private func upload(
        _ request: ScriptedServer.Request, _ repository: String, _ name: String, _ query: [String: String]
    ) -> ScriptedServer.Answer {
        self.state.withLock { state in
            if request.method == "POST" {
                if let digest = query["mount"], let from = query["from"], let blob = state.blobs["\(from)@\(digest)"] {
                    state.blobs["\(repository)@\(digest)"] = blob
                    return .init(status: 201)
                }
                defer { state.nextUpload += 1 }
                state.uploads[state.nextUpload] = []
                return .init(
                    status: 202, headers: [("Location", "/v2/\(repository)/blobs/uploads/\(state.nextUpload)")])
            }
            guard let number = Int(name), let before = state.uploads[number] else { return .init(status: 404) }
            let location = ("Location", "/v2/\(repository)/blobs/uploads/\(number)")
            switch request.method {
            case "PATCH":
                state.uploads[number] = before + request.body
                return .init(status: 202, headers: [location])
            case "GET":
                return .init(status: 204, headers: [location, ("Range", "0-\(max(before.count - 1, 0))")])
            case "DELETE":
                state.uploads[number] = nil
                return .init(status: 204)
            default:
                let bytes = before + request.body
                state.uploads[number] = nil
                guard Self.digest(bytes) == query["digest"] else { return .init(status: 400) }
                state.blobs["\(repository)@\(Self.digest(bytes))"] = bytes
                return .init(status: 201, headers: [("Docker-Content-Digest", Self.digest(bytes))])
            }
        }
    }

    private func blob(
        _ request: ScriptedServer.Request, _ repository: String, _ digest: String, _ query: [String: String]
    ) -> ScriptedServer.Answer {
        guard let blob = self.content.blobs["\(repository)@\(digest)"] else { return .init(status: 404) }
        let bounds = request.header("Range")?.dropFirst(6).split(separator: "-").compactMap { Int($0) } ?? []
        guard let start = bounds.first else {
            return .init(headers: [("Content-Length", "\(blob.count)")], body: blob)
        }
        guard start < blob.count else { return .init(status: 416) }
        let last = min(bounds.dropFirst().first ?? .max, blob.count - 1)
        return .init(
            status: 206, headers: [("Content-Range", "bytes \(start)-\(last)/\(blob.count)")],
            body: Array(blob[start..<last + 1]))
    }

    private func manifest(
        _ request: ScriptedServer.Request, _ repository: String, _ name: String, _ query: [String: String]
    ) -> ScriptedServer.Answer {
        self.state.withLock { state in
            if request.method == "PUT" {
                let type = request.header("Content-Type") ?? ""
                for key in [name, Self.digest(request.body)] {
                    state.manifests["\(repository):\(key)"] = (type, request.body)
                }
                return .init(status: 201, headers: [("Docker-Content-Digest", Self.digest(request.body))])
            }
            guard let manifest = state.manifests["\(repository):\(name)"] else { return .init(status: 404) }
            return .init(headers: [("Content-Type", manifest.type)], body: manifest.bytes)
        }
    }
}
