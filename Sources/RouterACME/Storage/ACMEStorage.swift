/// Keeps the account's key and the certificates, so that a restart orders nothing anew.
///
/// What is kept are private keys: whoever reads it can pretend to be the hosts.
///
/// ## Promises a conformer keeps
/// - When `write` has returned, the bytes survive a crash of the machine; when it throws or the process dies in it,
///   either the old bytes or the new ones are there, never a mixture.
/// - Names are one or two parts, separated by `/`, of `a-z`, `0-9`, `-`, `_` and `.`, not beginning with a dot, each at
///   most 220 bytes long.
/// - One manager uses one storage at a time.
public protocol ACMEStorage: Sendable {
    /// The bytes of this name; nil when there are none.
    func read(_ name: String) async throws -> [UInt8]?
    /// Puts bytes under this name, in place of those that were there.
    func write(_ name: String, _ bytes: [UInt8]) async throws
    /// Removes what is under this name, if there is something.
    func remove(_ name: String) async throws
    /// The second parts of all names with this first part.
    func names(in first: String) async throws -> [String]
}
