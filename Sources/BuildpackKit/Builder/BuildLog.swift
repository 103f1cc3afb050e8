/// Where the lines of a build go while it runs: to the pusher, a log hub, a record.
///
/// ## Promises of the builder
/// - One call is one line without its newline, and the calls come one after the other, in order.
/// - A slow log slows the build down; no line is dropped because of it.
public protocol BuildLog: Sendable {
    /// Takes one line.
    func write(_ line: String) async
}
