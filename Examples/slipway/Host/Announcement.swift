import PlatformAPI
import PlatformKit
import RouterCore
import ServiceLifecycle
import SystemPackage

/// Where a host can be reached.
struct HostAddresses: Sendable {
    /// Where applications are served: `127.0.0.1:8080`.
    var http: String
    /// Where they are served over HTTPS; `nil` when they are not.
    var https: String?
    /// Where the API, git and the dashboard are.
    var admin: String
    var domain: String
    var tokenPath: FilePath

    /// What the host prints when it is ready.
    var announcement: String {
        let port = self.http.split(separator: ":").last.map { ":\($0)" } ?? ""
        let secure = self.https?.split(separator: ":").last.map {
            "\n                https://NAME.\(self.domain):\($0)/"
        }
        return """
            slipway is ready
              applications  http://NAME.\(self.domain)\(port)/\(secure ?? "")
              dashboard     http://\(self.admin)/
              git           http://\(self.admin)/git/NAME.git
              token         \(self.tokenPath)
            """
    }
}

/// Says where everything is, once it is there.
struct Announcement: Service {
    let domain: String
    let tokenPath: FilePath
    let router: Router
    let api: APIServer
    let platform: Platform
    /// Whether another host serves meanwhile: then it goes on until this one can as well as it does.
    let takesOver: Bool
    /// Called when this host accepts requests, and has not said yet that it is ready.
    let onAccepting: @Sendable () -> Void
    let onReady: @Sendable (HostAddresses) -> Void

    func run() async throws {
        // A host that is told to stop before it is ready stops.
        try await cancelWhenGracefulShutdown {
            do { try await self.announce() } catch is CancellationError {}
        }
    }

    private func announce() async throws {
        try await self.takesOver ? self.platform.waitUntilReady() : self.platform.waitUntilRouted()
        self.router.takeOver()
        let addresses = try await self.router.listening()
        self.onAccepting()
        guard let http = addresses.first else { return }
        let https = addresses.dropFirst().first
        let admin = try await self.api.listening()
        await self.platform.setAddresses(http: http, https: https, admin: admin)
        try await self.platform.waitUntilReady()
        self.onReady(
            HostAddresses(http: http, https: https, admin: admin, domain: self.domain, tokenPath: self.tokenPath))
    }
}
