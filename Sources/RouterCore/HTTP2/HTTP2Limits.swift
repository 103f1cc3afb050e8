/// How often something may happen: so many times at once, and so many times a second on the long run.
struct HTTP2Rate: Hashable {
    var burst: Int
    var perSecond: Int
}

/// What one HTTP/2 connection may ask of this end, and what happens when it asks for more.
struct HTTP2Limits: Hashable {
    /// The streams that a client may have open; further ones are reset with `REFUSED_STREAM` and count as resets. As a
    /// client, the most that this end opens, whatever the peer allows.
    var concurrentStreams = 100
    /// The decoded size of a message's header fields, counted as RFC 9113, 6.5.2 does: 32 bytes per field more than
    /// its text. A larger request is given to the owner as a refused one; a larger response is reset.
    var headerBytes = 32_768
    /// The number of header fields, several `cookie` fields not counted; answered like ``headerBytes``.
    var headerFields = 200
    /// The decoded size of trailers. Larger ones reset their stream with `ENHANCE_YOUR_CALM`.
    var trailerBytes = 8192
    /// The encoded size of a header block. A larger one ends the connection with `ENHANCE_YOUR_CALM`, because it
    /// would have to be decoded to go on.
    var headerBlockBytes = 65_536
    /// The CONTINUATION frames of one header block; more end the connection with `ENHANCE_YOUR_CALM`.
    var continuationFrames = 16
    /// The size of a frame's payload, from 16,384 bytes; a larger one ends the connection with `FRAME_SIZE_ERROR`.
    var frameBytes = 16_384
    /// The size of each of HPACK's dynamic tables, in bytes.
    var headerTableBytes = 4096
    /// How much of a stream's body may be on its way or with the owner; a peer that sends more gets a
    /// `FLOW_CONTROL_ERROR` on that stream.
    var streamWindow = 262_144
    /// The same for all streams together, from 65,535 bytes; this is what a connection can make the router hold.
    var connectionWindow = 1_048_576
    /// About how much ``HTTP2Connection/takeOutput()`` returns at once.
    var outputBytes = 65_536
    /// The answers to a peer's frames (acknowledgements, resets, window updates) that wait to be taken, in bytes. A
    /// peer that asks but does not read is sent off with `ENHANCE_YOUR_CALM`.
    var unreadAnswerBytes = 32_768
    /// The streams that a peer resets before they are answered, that it makes this end reset by breaking the rules,
    /// and that it opens in spite of ``concurrentStreams``. Each costs the router a request and the peer nothing; more
    /// of them end the connection with `ENHANCE_YOUR_CALM`.
    var resets = HTTP2Rate(burst: 400, perSecond: 40)
    /// Frames that move nothing: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA, unknown ones, those about streams
    /// that have ended. Each stream and each DATA frame sent allows a few more. Too many end the connection with
    /// `ENHANCE_YOUR_CALM`.
    var idleFrames = HTTP2Rate(burst: 1000, perSecond: 100)
    /// Whether clients may open WebSockets (RFC 8441).
    var allowsExtendedConnect = true
    /// Whether strings are sent in the Huffman code: a fifth less to send for fields that are sent for the first time
    /// or never come twice, for about a nanosecond per byte.
    var usesHuffman = false
}

/// Counts down what a rate allows. Without a refill it costs a subtraction.
struct HTTP2Allowance {
    private let rate: HTTP2Rate
    private var left: Int
    private var refilled: UInt64?
    /// Credit beyond the burst, for frames that answer what this end sent.
    private static var creditLimit: Int { 65_536 }

    init(_ rate: HTTP2Rate) {
        self.rate = rate
        self.left = rate.burst
    }

    /// Takes one; false when there is none.
    ///
    /// - Parameter now: in nanoseconds.
    @inline(__always)
    mutating func spend(now: UInt64) -> Bool {
        if self.refilled == nil { self.refilled = now }
        if self.left == 0 { self.refill(now: now) }
        guard self.left > 0 else { return false }
        self.left &-= 1
        return true
    }

    @inline(__always)
    mutating func credit(_ count: Int) {
        self.left = min(self.left &+ count, Self.creditLimit)
    }

    @inline(never)
    private mutating func refill(now: UInt64) {
        guard let last = self.refilled, now > last, self.rate.perSecond > 0 else { return }
        // Years of idleness must not overflow.
        let nanoseconds = min(now - last, 1_000_000_000_000)
        let earned = Int(nanoseconds) * self.rate.perSecond / 1_000_000_000
        guard earned > 0 else { return }
        self.left = min(earned, self.rate.burst)
        self.refilled = now
    }
}
