internal import AsyncHTTPClient
internal import NIOCore
public import PlatformWire

/// Deployments and releases.
extension APIClient {
    /// The deployments of an application, newest first.
    public func deployments(of application: String) async throws -> [DeploymentInfo] {
        try await self.value(Call(.get, "apps", application, "deployments"))
    }

    /// One deployment.
    public func deployment(_ number: Int, of application: String) async throws -> DeploymentInfo {
        try await self.value(Call(.get, "apps", application, "deployments", String(number)))
    }

    /// What a deployment printed.
    public func deploymentLog(_ number: Int, of application: String) async throws -> String {
        let bytes = try await self.bytes(Call(.get, "apps", application, "deployments", String(number), "log"))
        return String(buffer: bytes)
    }

    /// Ends a deployment that has not finished.
    public func cancelDeployment(_ number: Int, of application: String) async throws -> DeploymentInfo {
        try await self.value(Call(.post, "apps", application, "deployments", String(number), "cancel"))
    }

    /// Uploads an archive of source and deploys it. Returns when the release is live.
    ///
    /// The archive is streamed, and read no faster than the host takes it. Cancelling the task cancels the deployment.
    public func deploy(
        _ archive: some ArchiveSource, to application: String, onLine: ProgressHandler
    ) async throws -> DeploymentInfo {
        let channel = HandoffChannel<ByteBuffer>()
        var call = Call(.post, "apps", application, "deployments", query: [("description", archive.description)])
        call.contentType = archive.mediaType
        call.body = .stream(channel, length: archive.length.map { .known($0) } ?? .unknown)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await archive.write { bytes in try await channel.send(ByteBuffer(bytes: bytes)) }
                    channel.finish()
                } catch {
                    // The request fails by this, and says so to whoever awaits it.
                    channel.finish(error)
                }
            }
            defer { channel.finish(CancellationError()) }
            do {
                let deployment = try await self.events(call, result: DeploymentInfo.self, onLine: onLine)
                group.cancelAll()
                return deployment
            } catch {
                // What went wrong with the archive explains more than how the request broke because of that.
                if let failure = channel.failure, !(failure is CancellationError) { throw failure }
                throw error
            }
        }
    }

    /// The releases of an application, newest first.
    public func releases(of application: String) async throws -> [ReleaseInfo] {
        try await self.value(Call(.get, "apps", application, "releases"))
    }

    /// One release.
    public func release(_ version: Int, of application: String) async throws -> ReleaseInfo {
        try await self.value(Call(.get, "apps", application, "releases", String(version)))
    }

    /// Makes a new release of an old one's slug and config; without a version, of the one before the live one.
    public func rollback(
        _ application: String, to version: Int?, onLine: ProgressHandler
    ) async throws -> ReleaseInfo {
        let call = try Call(.post, "apps", application, "rollback").json(RollbackRequest(version: version))
        return try await self.events(call, result: ReleaseInfo.self, onLine: onLine)
    }
}
