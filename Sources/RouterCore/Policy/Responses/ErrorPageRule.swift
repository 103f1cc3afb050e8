/// A page for some of the router's own answers.
public struct ErrorPageRule: Sendable, Hashable {
    /// Which answers it is for. A code comes before a status, a status before a class, and of two that are equal the
    /// first.
    public enum Cause: Sendable, Hashable {
        /// Answers with this code.
        case code(RouterErrorCode)
        /// Answers with this status.
        case status(Int)
        /// Answers whose status starts with this digit: 4 or 5.
        case statusClass(Int)
    }

    /// Which answers it is for.
    public let cause: Cause
    /// The page, in UTF-8.
    public let html: String

    /// Describes a page of at most 64 KiB.
    ///
    /// - Throws: ``RouterError`` when the page is larger, or the status is not one of an error.
    public init(_ cause: Cause, html: String) throws(RouterError) {
        guard html.utf8.count <= 65_536 else {
            throw RouterError(
                .invalidRoute, "The error page for \(cause) has \(html.utf8.count) bytes; at most 65,536 are kept.")
        }
        switch cause {
        case .status(let status) where !(400...599).contains(status):
            throw RouterError(.invalidRoute, "\(status) is not the status of an error.")
        case .statusClass(let digit) where digit != 4 && digit != 5:
            throw RouterError(.invalidRoute, "\(digit) is not a class of errors; give 4 or 5.")
        default: break
        }
        self.cause = cause
        self.html = html
    }

    /// How well it fits an answer; nil when it does not.
    fileprivate func rank(_ code: RouterErrorCode) -> Int? {
        switch self.cause {
        case .code(let wanted): wanted == code ? 2 : nil
        case .status(let status): status == code.status ? 1 : nil
        case .statusClass(let digit): digit == code.status / 100 ? 0 : nil
        }
    }

    /// The page for an answer.
    static func page(for code: RouterErrorCode, in rules: [ErrorPageRule]) -> String? {
        var best: (rank: Int, html: String)?
        for rule in rules {
            if let rank = rule.rank(code), rank > best?.rank ?? -1 { best = (rank, rule.html) }
        }
        return best?.html
    }
}
