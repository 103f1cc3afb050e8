import NIOCore

/// The side of an exchange that faces the client: a connection of its own, or a stream within one.
protocol ClientSide: AnyObject {
    /// False while the client takes less than it is sent.
    var canTakeMore: Bool { get }
    /// How much of what was sent it has taken, and whether it is to take more of that. Costs a call into the kernel:
    /// once a tick.
    var progress: ClientProgress { get }
    /// What has arrived of a part that is not given out before it is whole.
    var arrivingBytes: Int { get }

    /// What is sent to the client goes on for as long as it likes. Returns why that cannot be.
    func becomeStream() -> RouterErrorCode?
    func send(_ bytes: ByteBuffer)
    /// Sends a head, final or interim; `ends` when there is nothing behind it. Only where the client speaks in frames.
    func sendHead(_ head: ByteBuffer, ends: Bool)
    /// Ends the message. Only where the client speaks in frames.
    func sendEnd(trailers: ByteBuffer)
    func flush()
    /// Ends what is sent; the client may go on sending.
    func endOutput()
    /// Closes once everything sent has left.
    func closeAfterWriting()
    /// Closes at once.
    func close()
    /// More from the client can be used now.
    func resumeReading()
    /// Whether nothing has come that was not read, as far as the kernel knows.
    func isQuiet() -> Bool
}

/// What a client has taken of what it was sent.
struct ClientProgress {
    /// In bytes, as far as is known.
    var taken: Int
    /// Whether something is left that only this client can take.
    var isAwaited: Bool

    /// Of so many bytes that were written to a stream, when `known` were taken at the last look. Asks the kernel only when
    /// something is on its way.
    init(sent: Int, known: Int, _ stream: any ByteStream) {
        let taken = known < sent ? max(known, sent - stream.unconfirmedBytes) : known
        self.init(taken: taken, isAwaited: taken < sent)
    }

    init(taken: Int, isAwaited: Bool) {
        self.taken = taken
        self.isAwaited = isAwaited
    }
}

/// The side of an exchange that faces an instance: a connection for itself, or a stream within one.
protocol InstanceSide: AnyObject {
    /// Who is served; nil when the exchange is over.
    var owner: Exchange? { get set }
    /// False while the instance takes less than it is sent.
    var canTakeMore: Bool { get }
    /// How much waits for the instance.
    var bufferedBytes: Int { get }

    func send(_ bytes: ByteBuffer)
    /// Sends a head; `ends` when there is nothing behind it. Only where the instance speaks in frames.
    func sendHead(_ head: ByteBuffer, ends: Bool)
    /// Ends the message. Only where the instance speaks in frames.
    func sendEnd(trailers: ByteBuffer)
    func flush()
    /// Ends what is sent; the instance may go on sending.
    func endOutput()
    /// More of the response can be used now.
    func resumeReading()
    /// The exchange has let go of it.
    func release(_ manner: ReleaseManner, to worker: Worker)
}

/// What becomes of an instance's side when the exchange lets go of it.
enum ReleaseManner {
    /// The response is complete: another request may come.
    case reuse
    /// What was sent shall still arrive.
    case closeAfterWriting
    /// It is worth nothing any more.
    case abandon
}
