import PlatformKit
import RouterCore
import ServiceLifecycle

/// Runs the router from the moment in which it knows every application, so that nobody is told that one does not exist.
struct RoutedRouter: Service {
    let router: Router
    let platform: Platform

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await self.platform.waitUntilRouted() }
        } catch {
            // The platform is told to stop, or says itself why it cannot start.
            try await gracefulShutdown()
            return
        }
        try await self.router.run()
    }
}
