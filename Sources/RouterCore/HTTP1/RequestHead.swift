/// What the router has to know about a request; the offsets point into the bytes it was parsed from.
struct RequestHead {
    enum Method {
        case get, head, post, put, delete, options, other

        /// Sending it twice has the effect of sending it once (RFC 9110, 9.2.2).
        var isIdempotent: Bool {
            switch self {
            case .get, .head, .put, .delete, .options: true
            case .post, .other: false
            }
        }
    }

    var method = Method.other
    var methodRange = ByteRange.empty
    /// The path and query to send on; empty when the absolute form had none.
    var target = ByteRange.empty
    /// The host with its port, from the target if that was absolute, else from the Host field.
    var authority = ByteRange.empty
    /// The host alone.
    var host = ByteRange.empty
    var isAbsoluteForm = false
    var minorVersion: UInt8 = 1
    var framing = BodyFraming.none
    var connection = ConnectionOptions()
    /// An Upgrade that may be tried: asked for by name, without a body, and not to HTTP/2 in the clear, which would
    /// carry requests past the router.
    var upgrade = false
    var expectsContinue = false
    var hasIdempotencyKey = false
    /// Whether the client takes trailers, and has said so.
    var acceptsTrailers = false
    /// Whether its content is of a type of gRPC's.
    var isGRPC = false
    var trace = TraceContext()
    /// How often the request may be passed on, for OPTIONS (RFC 9110, 7.6.2).
    var maxForwards: Int?

    /// Whether the client wants to keep its connection.
    var isPersistent: Bool {
        self.minorVersion >= 1 ? !self.connection.close : self.connection.keepAlive && !self.connection.close
    }

    /// Whether an instance may be given the request twice.
    var isReplayable: Bool { self.method.isIdempotent || self.hasIdempotencyKey }
}
