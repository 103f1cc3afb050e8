import GitReceiver
import Logging
import SystemPackage

/// Accepts every push.
struct Welcome: PushHandler {
    func receive(_ push: Push, progress: any ProgressWriter) async throws -> PushVerdict {
        try await progress.write("Thank you\n")
        return .accept
    }
}

let server = try GitServer(
    configuration: .init(root: FilePath("repositories")), handler: Welcome(), logger: Logger(label: "git"))
try await server.createRepository("hello")
let request = GitRequest(
    method: "GET", path: "/hello.git/info/refs", query: "service=git-upload-pack", headers: [], pusher: "me")
let response = try await server.respond(to: request, body: AsyncStream<[UInt8]> { $0.finish() })
print(response.status)
