/// What a request asks for.
struct GitRoute: Hashable, Sendable {
    enum Service: String, Sendable {
        case uploadPack = "git-upload-pack"
        case receivePack = "git-receive-pack"
    }

    enum Action: Hashable, Sendable {
        case advertise(Service)
        case serve(Service)
    }

    struct Refusal: Error, Hashable, Sendable {
        var status: Int
        var message: String
    }

    var name: RepositoryName
    var action: Action

    static func of(_ request: GitRequest) -> Result<GitRoute, Refusal> {
        let parts = request.path.split(separator: "/", maxSplits: 1)
        guard parts.count == 2, parts[0].hasSuffix(".git") else {
            return .failure(Refusal(status: 404, message: "There is nothing here. Repositories are at NAME.git."))
        }
        let name: RepositoryName
        do throws(GitReceiverError) {
            name = try RepositoryName(String(parts[0].dropLast(4)))
        } catch { return .failure(Refusal(status: 404, message: error.message)) }
        let expected: String
        let action: Action
        switch parts[1] {
        case "info/refs":
            guard let service = request.queryItem("service").flatMap(Service.init(rawValue:)) else {
                return .failure(
                    Refusal(status: 403, message: "This server speaks smart HTTP only; use git 1.6.6 or later."))
            }
            (expected, action) = ("GET", .advertise(service))
        case "git-upload-pack": (expected, action) = ("POST", .serve(.uploadPack))
        case "git-receive-pack": (expected, action) = ("POST", .serve(.receivePack))
        default: return .failure(Refusal(status: 404, message: "There is nothing here."))
        }
        guard request.method == expected else {
            return .failure(Refusal(status: 405, message: "Use \(expected) for this."))
        }
        if case .serve(let service) = action, let type = request.header("Content-Type"),
            type.lowercased() != "application/x-\(service.rawValue)-request"
        {
            return .failure(Refusal(status: 415, message: "The content type is not that of a git client."))
        }
        return .success(GitRoute(name: name, action: action))
    }

    /// Whether the client offers version 2. Others (1) are answered with version 0, as the protocol allows.
    static func wantsVersion2(_ request: GitRequest) -> Bool {
        request.header("Git-Protocol")?.split(separator: ":").contains("version=2") ?? false
    }
}
