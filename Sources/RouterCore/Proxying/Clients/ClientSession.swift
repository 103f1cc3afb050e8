/// A client's connection, in whatever protocol, as a worker knows it.
protocol ClientSession: AnyObject {
    /// Where the worker's list has it.
    var position: Int? { get set }
    /// What it is working on, or ready for.
    var exchanges: [Exchange] { get }
    /// About how much is held for it, on both sides.
    var heldBytes: Int { get }
    /// Looks whether what is waited for has taken too long.
    func check(now: UInt64)
    /// The router stops: what is being worked on is the last.
    ///
    /// - Parameter idleGrace: how many nanoseconds a connection without a request is given for one more.
    func shutDown(idleGrace: UInt64)
    /// Breaks off what goes to these instances, or everything.
    func abort(_ backends: Set<BackendID>?, _ refusal: OwnAnswer)
}
