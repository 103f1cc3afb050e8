/// Where a message's body ends.
enum BodyFraming: Equatable {
    case none
    case length(Int)
    case chunked
    /// The sender closes the connection; responses only.
    case untilClose
}
