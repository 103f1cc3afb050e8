import CLibgit2

/// What libgit2 said about a failure. Its messages may hold server paths, so they are for the log.
struct Libgit2Failure: Error, Sendable, CustomStringConvertible {
    var code: Int32
    var message: String

    /// Reads the last error, which libgit2 keeps for each thread: call it on the thread of the failed call, at once.
    static func last(_ code: Int32) -> Libgit2Failure {
        let message = git_error_last().flatMap { $0.pointee.message }.map { String(cString: $0) }
        return Libgit2Failure(code: code, message: message ?? "no message")
    }

    var description: String { "libgit2 \(self.code): \(self.message)" }

    /// The message, if it cannot name a file.
    var harmlessMessage: String? {
        self.message.contains("/") || self.message == "no message" ? nil : self.message
    }
}

/// Turns a libgit2 result into an error that says, in our words, what failed.
@discardableResult
func check(
    _ code: Int32, _ what: @autoclosure () -> String, as kind: GitReceiverError.Code = .storage
) throws(GitReceiverError) -> Int32 {
    guard code < 0 else { return code }
    let failure = Libgit2Failure.last(code)
    var message = what()
    if kind == .corrupt, let detail = failure.harmlessMessage { message += " (\(detail))" }
    let mapped: GitReceiverError.Code =
        switch code {
        case GIT_ENOTFOUND.rawValue: .notFound
        case GIT_ELOCKED.rawValue: .busy
        default: kind
        }
    throw GitReceiverError(mapped, message, cause: failure)
}

extension ObjectID {
    init(_ oid: git_oid) {
        self = withUnsafeBytes(of: oid) { ObjectID(raw: $0, at: 0) }
    }

    var git: git_oid {
        var oid = git_oid()
        withUnsafeMutableBytes(of: &oid) { bytes in
            for index in 0..<20 { bytes[index] = self.byte(at: index) }
        }
        return oid
    }
}
