/// What a platform does with a push: usually export its commit, build it, and say yes or no.
///
/// ## What a conformer may rely on
/// - The objects are checked and complete, but still in quarantine: nobody else sees them, and they are removed unless
///   the verdict accepts a reference that needs them.
/// - One push at a time for each repository; the others wait.
/// - While ``receive(_:progress:)`` runs, the client gets a keep-alive packet in every silent interval.
/// - When the client goes away, the task is cancelled. A handler that accepts nevertheless is believed: its verdict is
///   carried out, for it may have passed the point of no return.
public protocol PushHandler: Sendable {
    /// Decides about a push.
    ///
    /// An error refuses the whole push. The message of a ``GitReceiverError`` is shown to the client; that of any other error
    /// is not (it may name server paths): return ``PushVerdict/reject(reason:)`` to say why.
    func receive(_ push: Push, progress: any ProgressWriter) async throws -> PushVerdict
}

/// What a handler decided.
public enum PushVerdict: Sendable, Hashable {
    /// All references are updated.
    case accept
    /// None is; the client sees `! [remote rejected] main -> main (reason)`.
    case reject(reason: String)
    /// Each reference by itself: nil accepts it, a string is the reason why not. One without an entry is refused.
    case perRef([String: String?])
}

/// Where a handler writes what the person who pushes should see.
public protocol ProgressWriter: Sendable {
    /// Sends text, which git shows as `remote:` lines at once.
    ///
    /// Git shows a line when it is complete: end each with `\n`. Safe to call from several tasks. Throws when the
    /// client has gone.
    func write(_ text: String) async throws
}
