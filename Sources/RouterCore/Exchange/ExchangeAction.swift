import NIOCore

/// What the driver has to do next for a client connection.
enum ExchangeAction {
    /// Look up the application for ``ExchangeMachine/withRequest(_:)``, then answer with
    /// ``ExchangeMachine/accept(startMilliseconds:bodyLimit:)`` or ``ExchangeMachine/refuse(_:)``.
    case route
    /// Get a connection to an instance, then answer with ``ExchangeMachine/upstreamReady()``,
    /// ``ExchangeMachine/connectFailed()`` or ``ExchangeMachine/refuse(_:)``.
    case acquire(Acquisition)
    case toUpstream(ByteBuffer)
    case toClient(ByteBuffer)
    /// A head, for a side that speaks in frames; `ends` when there is nothing behind it.
    case headToUpstream(ByteBuffer, ends: Bool)
    case headToClient(ByteBuffer, ends: Bool)
    /// The end of the message, for a side that speaks in frames; the trailers are lines and an empty line, or nothing.
    case endToUpstream(trailers: ByteBuffer)
    case endToClient(trailers: ByteBuffer)
    /// The response is a stream of events that may last for hours: it no longer counts as a request in flight.
    case streaming
    /// From here on both sides are a tunnel.
    case tunnel
    case halfCloseUpstream
    case halfCloseClient
    /// The exchange is over: let go of the instance's connection and report.
    case ended(ExchangeEnding)
    /// Close the client's connection once everything written has left.
    case closeClient

    enum Acquisition: Equatable {
        case first
        /// The connection was refused, or broke before a byte of the response: try another instance.
        case anotherInstance
        /// A kept connection turned out to be closed: the instance itself may be well.
        case freshConnection
    }
}

/// How an exchange ended.
struct ExchangeEnding {
    /// Whether the connection to the instance can carry another request.
    var reusesUpstream: Bool
    var status: Int
    var code: RouterErrorCode?
    var requestBytes: Int
    var responseBytes: Int
    var retries: Int
    var upgraded: Bool
}
