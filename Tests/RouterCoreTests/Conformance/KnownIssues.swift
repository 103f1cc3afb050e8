/// Where the router is known to differ from what a case demands, and why.
enum KnownIssues {
    static let ofRouter: [String: String] = [:]
}
