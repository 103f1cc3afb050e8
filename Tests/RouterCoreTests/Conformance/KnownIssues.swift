/// Where the router is known to differ from what a case demands, and why.
enum KnownIssues {
    /// By the case's description.
    static let ofRouter: [String: String] = [:]
}
