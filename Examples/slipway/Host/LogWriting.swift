import MetricsCore
import ServiceLifecycle

/// Writes the logs to disk while the host runs, and what remains when it stops.
struct LogWriting: Service {
    let hub: LogHub

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await self.hub.run() }
        await self.hub.flush()
    }
}
