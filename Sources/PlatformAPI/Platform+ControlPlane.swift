public import GitReceiver
public import PlatformKit

extension Platform: ControlPlane {
    /// Hands a request to the git server.
    public func respond<Body: AsyncSequence & Sendable>(
        toGit request: GitRequest, body: Body
    ) async throws -> GitResponse where Body.Element == [UInt8] {
        try await self.gitServer.respond(to: request, body: body)
    }
}
