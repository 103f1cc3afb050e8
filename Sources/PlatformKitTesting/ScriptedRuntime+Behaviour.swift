public import PlatformKit

extension ScriptedRuntime {
    /// What becomes of an instance that is started.
    public enum Boot: Sendable, Hashable {
        /// It is ready at once.
        case ready
        /// It starts until ``ScriptedRuntime/makeReady(_:)`` or ``ScriptedRuntime/crash(_:because:)`` says otherwise.
        case staysStarting
        /// It ends before it is ready, and is tried again for ever.
        case crashes(String)
        /// It is ready, and ends as soon as somebody has waited for that.
        case endsRightAfterStart(String)
        /// No process comes to exist.
        case cannotStart(String)
    }

    /// What becomes of a one-off or a release command.
    public enum OneOff: Sendable, Hashable {
        /// It prints lines and ends with a status.
        case ends(Int32, printing: [String])
        /// It prints lines and runs until it is cancelled.
        case hangs(printing: [String])
        /// It cannot be run.
        case fails(String)
    }

    /// What a test may look at and wait for: one moment of the runtime.
    public struct Snapshot: Sendable {
        /// Everything that was asked for, in order.
        public internal(set) var records: [RuntimeRecord] = []
        /// The instances that there are, by identity.
        public internal(set) var instances: [String: WorkloadInstance] = [:]
        /// The present routes by application.
        public internal(set) var routes: [String: WorkloadRoute] = [:]
        /// What was started, in full.
        public internal(set) var requests: [WorkloadRequest] = []
        /// Instances that were drained or whose stop was asked for: none of them may get requests again.
        public internal(set) var letGo: Set<String> = []
        /// Where the control plane broke an order that it has to keep: see ``ScriptedRuntime``.
        public internal(set) var violations: [String] = []
        var holdsStarts = false
        var holdsDrains = false
        var heldStops: Set<String> = []

        /// The present instances as `web.1@v3`, sorted.
        public var running: [String] { self.instances.values.map(\.shortName).sorted() }
        /// The instances that the only route leads to, as `web.1@v3`, sorted.
        public var routed: [String] {
            self.routes.values.flatMap(\.instances).map { self.instances[$0]?.shortName ?? $0 }.sorted()
        }
        /// The identity of the newest instance of that name, such as `web.1` or `web.1@v3`.
        public func id(of name: String) -> String? {
            self.instances.values.filter { $0.name == name || $0.shortName == name }.max { $0.serial < $1.serial }?.id
        }
    }
}

extension WorkloadInstance {
    /// `web.1@v3`.
    public var shortName: String { "\(self.name)@v\(self.release)" }
}
