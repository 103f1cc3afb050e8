/// A client's connection, in whatever protocol, as a worker knows it.
protocol ClientSession: AnyObject {
    /// Where the worker's list has it.
    var position: Int? { get set }
    /// Looks whether what is waited for has taken too long.
    func check(now: UInt64)
    /// The router stops: what is being worked on is the last. May be called again.
    ///
    /// - Parameter closesIdle: whether a connection without a request is closed at once. If not, its next request is
    ///   waited for and is the last.
    func shutDown(closesIdle: Bool)
    /// Breaks off what goes to these instances, or everything.
    func abort(_ backends: Set<BackendID>?, _ refusal: OwnAnswer)
}
