/// Where a message's body ends.
enum BodyFraming: Equatable {
    case none
    case length(Int)
    case chunked
    /// The sender closes the connection; responses only.
    case untilClose
    /// The sender says so apart from its bytes, as HTTP/2 does; requests only.
    case delimited
}
