import NIOCore

/// One connection as a stream of bytes, whoever moves them: the router's own loop for clear text on Linux, SwiftNIO
/// for TLS and on other systems.
///
/// ## Promises a conformer keeps
/// - Everything happens on the thread of its loop.
/// - No method calls the handler back before it returns: what a write finds out is told later.
/// - ``ByteStreamHandler/closed(broke:)`` is the last call, and comes exactly once, also after ``close()``.
protocol ByteStream: AnyObject {
    /// Who is told what arrives. Keeps the handler alive until the stream is closed.
    var handler: (any ByteStreamHandler)? { get set }
    /// False while more waits to be sent than it is good to hold; of nothing it is good to hold more while the loop's
    /// ledger is tight.
    var isWritable: Bool { get }
    /// How much waits to be sent.
    var bufferedBytes: Int { get }
    /// How much the peer has not confirmed, whether it waits here or in the kernel: about so much, and 0 only when that is
    /// all. Costs a call into the kernel.
    var unconfirmedBytes: Int { get }
    /// Whether both directions are open, as far as is known.
    var isOpen: Bool { get }

    /// Puts bytes behind those that wait; ``flush()`` sends them.
    func write(_ bytes: ByteBuffer)
    func flush()
    /// Sends what waits before the loop waits again, or at once when it is much: what several requests write to the
    /// connection that they share then leaves together, in one call of the kernel and one TLS record.
    func flushSoon()
    /// Goes on reading, if that had stopped because the handler wanted no more.
    func resumeReading()
    /// Sends what waits and then the end of the stream. The peer may go on sending.
    func closeOutput()
    /// Sends what waits and then closes.
    func closeAfterWriting()
    /// Closes at once; what waits is lost.
    func close()
    /// Asks the kernel whether the peer has neither closed nor sent anything, even if that is still on its way here.
    func isQuiet() -> Bool
}

/// What is told about a stream.
protocol ByteStreamHandler: AnyObject {
    /// Whether more bytes can be used now. Asked before each read; if not, the stream waits for
    /// ``ByteStream/resumeReading()``, and so does the peer.
    var wantsBytes: Bool { get }
    /// Bytes arrived. What is kept of them beyond the call keeps the whole read buffer alive, so keep little.
    func received(_ bytes: ByteBuffer)
    /// The peer will send no more.
    func ended()
    /// The stream can be written to again, after ``ByteStream/isWritable`` was false.
    func becameWritable()
    /// The stream is gone; `broke` when neither side had closed it in an orderly way.
    func closed(broke: Bool)
}

/// How much may wait to be sent on a stream before its source is told to wait, and when it may go on.
struct WriteMarks: Sendable {
    var high = 65_536
    var low = 32_768
}

/// Makes connections and keeps time: what a worker asks of the loop it lives on.
protocol StreamLoop: AnyObject {
    /// Nanoseconds of a clock that never goes back, as of now.
    func now() -> UInt64
    /// Connects to an instance and calls back with the stream, or with nil when that failed; possibly before it
    /// returns. How long it may take is the caller's business.
    func connect(to instance: Instance, completion: @escaping ((any ByteStream)?) -> Void) -> any PendingConnection
    /// Does something once, after what is going on and within some milliseconds.
    func callSoon(_ work: @escaping () -> Void)
    /// What the loop's connections hold.
    var ledger: BufferLedger { get }
}

/// A connection that is being made.
protocol PendingConnection: AnyObject {
    /// Gives up. Nobody is called back any more.
    func cancel()
}

/// Sends work to the thread of a loop, from anywhere.
protocol LoopExecutor: Sendable {
    /// Whether this is the loop's thread.
    var isCurrent: Bool { get }
    /// Has the loop do something, in the order of the calls; false when it has ended and does nothing any more.
    @discardableResult
    func execute(_ work: @escaping @Sendable () -> Void) -> Bool
}

/// Accepts connections on a worker's loop.
protocol ConnectionSource: AnyObject {
    /// Accepts no more; the socket stays open for whoever has it as well.
    func stop()
    /// Called with every tick: goes on accepting after the system had no descriptors left.
    func resume()
}
