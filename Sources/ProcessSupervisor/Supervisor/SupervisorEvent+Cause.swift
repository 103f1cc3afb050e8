extension SupervisorEvent {
    /// Why something happened to an instance.
    public enum Cause: Sendable, Hashable, CustomStringConvertible {
        /// The caller wanted it.
        case request
        /// The restart policy wants it.
        case restartPolicy
        /// The recycling policy wants it, for this reason.
        case recycling(String)
        /// A former host started it.
        case formerHost
        /// Its process ended by itself, so.
        case exit(ExitStatus)
        /// Its process could not be executed, for this reason.
        case launchFailure(String)
        /// A probe's answer, or its notification.
        case probe(ProbeReport)
        /// It has started, and no probe is to be waited for.
        case noProbe
        /// It was not ready in time.
        case bootTimeout(String)
        /// It was found dead.
        case liveness(String)
        /// The kernel killed some of it for its memory.
        case outOfMemory(MemoryExcess)
        /// It uses too much memory.
        case memoryUse
        /// It writes too fast.
        case outputRate
        /// What came of its command.
        case command(String)

        /// Such as "liveness probe failed 3 times, the last time: GET /healthz answered 500".
        public var description: String {
            switch self {
            case .request: "as requested"
            case .restartPolicy: "by the restart policy"
            case .recycling(let reason): "recycled: \(reason)"
            case .formerHost: "started by a former host"
            case .exit(let status): status.description
            case .launchFailure(let reason), .bootTimeout(let reason), .liveness(let reason): reason
            case .probe(let report): report.detail
            case .noProbe: "it has started, and there is no probe"
            case .outOfMemory(let excess): excess.description
            case .memoryUse: "beyond the soft limit of its memory"
            case .outputRate: "faster than its output policy allows"
            case .command(let reason): reason
            }
        }
    }
}
