import NIOCore

/// What happened on an HTTP/2 connection.
enum HTTP2Event {
    /// A request (server), or a response or an interim one (client).
    case head(stream: UInt32, HTTP2Head)
    /// A request that the owner answers by itself, with a head and perhaps a page. What follows of it is thrown away.
    case refusedHead(stream: UInt32, HTTP2HeadRefusal)
    /// A part of the body. Once it is passed on, the owner says so (``HTTP2Connection/consumed(stream:count:)``).
    case data(stream: UInt32, ByteBuffer, endsStream: Bool)
    /// Field lines, each with its line end, and an empty line. They end the stream.
    case trailers(stream: UInt32, ByteBuffer)
    /// The peer's message ends, with nothing more to it.
    case endOfStream(stream: UInt32)
    /// The stream is gone: the peer reset it, or it broke the rules. There will be no more events of it.
    case reset(stream: UInt32, HTTP2ErrorCode, byPeer: Bool)
    /// All data that had to wait has been taken as output.
    case drained(stream: UInt32)
    /// The peer's settings arrived or changed; it may allow more streams now.
    case settings
    /// The peer has taken note of this end's settings.
    case settingsAcknowledged
    case pingAnswered(UInt64)
    /// The peer opens and takes no more streams. Those after `lastStream` have been reset with `REFUSED_STREAM`: it has
    /// not looked at them, so that they can be tried elsewhere.
    case goAway(lastStream: UInt32, HTTP2ErrorCode)
    /// The connection ended by an error of the peer. What is left of the output says so; write it, then close. Every
    /// stream is gone without a further event.
    case closed(HTTP2ErrorCode, reason: StaticString)
}

/// A message's head as HTTP/1 writes it.
struct HTTP2Head {
    /// Lines can be added after moving the writer index back by the two bytes of the empty line.
    var text: ByteBuffer
    /// 0 for a request.
    var status: Int
    /// What the fields say about the body's length. Without it, a request that does not end the stream has a body of
    /// unknown length, which HTTP/1 sends in chunks.
    var contentLength: Int?
    /// Whether there is nothing behind the head.
    var endsStream: Bool
    /// A WebSocket (RFC 8441), written as HTTP/1's request for an upgrade without its `Sec-WebSocket-Key`. It is
    /// accepted by answering 101, which is sent as 200.
    var isExtendedConnect: Bool
}

/// Why the owner has to answer a request by itself.
enum HTTP2HeadRefusal: Equatable {
    /// To be answered 431.
    case headersTooLarge
    /// To be answered 405: the router is no proxy for outgoing connections.
    case connect
    /// To be answered 501: an extended CONNECT for something else than a WebSocket.
    case unknownProtocol
}
