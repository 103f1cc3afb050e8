/// A client's connection, in whatever protocol, as a worker knows it.
protocol ClientSession: AnyObject {
    /// Where the worker's list has it.
    var position: Int? { get set }
    /// What it is working on, or ready for.
    var exchanges: [Exchange] { get }
    /// About how much is held for it, on both sides.
    var heldBytes: Int { get }
    /// Since when it has waited for a request, in nanoseconds of uptime; nil when it does not.
    var idleSince: UInt64? { get }
    /// Whether no request is on its way here, as far as the kernel knows. Costs a call into it.
    func isQuiet() -> Bool
    /// It waits for a request, and somebody else needs its place.
    ///
    /// - Parameter atOnce: without waiting for the client's own end.
    func giveUp(atOnce: Bool)
    /// Looks whether what is waited for has taken too long.
    func check(now: UInt64)
    /// The router stops: what is being worked on is the last.
    ///
    /// - Parameter idleGrace: how many nanoseconds a connection without a request is given for one more.
    func shutDown(idleGrace: UInt64)
    /// Breaks off what goes to these instances, or everything.
    func abort(_ backends: Set<BackendID>?, _ refusal: OwnAnswer)
}
