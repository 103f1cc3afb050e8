import PlatformAPI
import RouterCore
import ServiceLifecycle

/// Serves the API from when the router serves, where another host had its socket before: until then that one may go on, and
/// whoever was answered by this one in between would have asked the wrong one.
struct APIAfterRouter: Service {
    let api: APIServer
    let router: Router
    let waits: Bool

    func run() async throws {
        if self.waits {
            do {
                _ = try await cancelWhenGracefulShutdown { try await self.router.listening() }
            } catch {
                // The router says itself why it does not.
                try await gracefulShutdown()
                return
            }
        }
        try await self.api.run()
    }
}
