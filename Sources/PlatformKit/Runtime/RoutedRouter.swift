public import RouterCore
public import ServiceLifecycle

/// Runs a router from the moment in which its platform has routed every application, so that nobody is told that one does
/// not exist.
///
/// Of the services of a host it comes before the platform, so that it stops after it.
public struct RoutedRouter: Service {
    private let router: Router
    private let platform: Platform

    /// Makes one that does nothing until ``run()``.
    ///
    /// - Parameters:
    ///   - router: the one that the platform's runtime routes through.
    ///   - platform: whose applications are waited for. It is run by the caller.
    public init(router: Router, platform: Platform) {
        self.router = router
        self.platform = platform
    }

    /// Waits for the platform, then routes until the task is cancelled or a graceful shutdown begins.
    ///
    /// A platform that cannot start says so itself: then this waits for the shutdown that follows, and routes nothing.
    ///
    /// - Throws: what the router throws.
    public func run() async throws {
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
