import BuildpackKit
import Logging
import PlatformAPI
import PlatformKit
import ProcessSupervisor
import RouterCore
import ServiceLifecycle
import SystemPackage
import UnixSignals

/// A host: its parts, the platform above them, and the hand-over to the next host.
struct Host {
    let settings: ServeSettings
    let logger: Logger
    /// The host that this one takes over from.
    var predecessor: Predecessor?
    /// What a successor is started with.
    var arguments: [String] = []
    /// Called once everything is there.
    let onReady: @Sendable (HostAddresses) -> Void

    enum Event: Sendable {
        case ready(HostAddresses)
        case stop
        case upgrade(UpgradeRequest)
        /// Services have ended that were not told to; those of the parts have the number 0.
        case ended(generation: Int, (any Error)?)
    }

    /// Serves until the task is cancelled, one of the signals comes, or a successor has taken over.
    func run(endingOn signals: [UnixSignal]) async throws {
        try await self.predecessor?.waitForTurn()
        let data = try DataDirectory(path: self.settings.data)
        await HostBuildSandbox.killLeftBehind(below: data.builds)
        let (events, feed) = AsyncStream<Event>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: signals) { feed.yield(.stop) }
            }
            defer { group.cancelAll() }
            try await HostRun(
                host: self, data: data, parts: try HostParts(settings: self.settings, data: data, logger: self.logger),
                groups: try ControlGroups.open(named: data.controlGroup), feed: feed
            ).run(events)
        }
    }
}
