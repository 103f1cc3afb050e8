/// What a route's policy says about a request.
enum PolicyVerdict {
    /// Go on.
    case pass
    /// Answer with an error.
    case refuse(PolicyRefusal)
    /// Answer with this status and `Location`.
    case redirect(status: Int, location: [UInt8])
    /// Run the check off the event loop, and then ask ``PreparedPolicy/conclude(_:isRight:_:)``.
    case verify(CredentialCheck)
}

/// An error that a policy answers with.
struct PolicyRefusal {
    enum Reason: Equatable {
        /// 401, `unauthorized`.
        case unauthorized
        /// 403, `forbidden`.
        case forbidden
        /// 429, `rate-limited`.
        case rateLimited
    }

    var reason: Reason
    /// Seconds, for the `Retry-After` field.
    var retryAfter: Int?
    /// Lines to add to the answer, each with its end.
    var extraFields: [UInt8] = []
}
