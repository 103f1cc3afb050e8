/// Where a log line comes from.
public enum LogSource: String, Codable, Sendable, CaseIterable {
    /// An instance of the application wrote it.
    case app
    /// The router answered, or failed to pass on, a request.
    case router
    /// A build wrote it.
    case build
    /// A release or its release phase wrote it.
    case release
    /// The platform says what it did to the application.
    case platform
}
