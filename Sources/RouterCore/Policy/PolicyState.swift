/// What the policies of all applications remember on one event loop, which owns it: nothing is shared and nothing
/// locked.
struct PolicyState {
    /// How much is remembered.
    struct Limits: Sendable {
        /// Buckets of clients and applications: 65,536, of 32 bytes each.
        var buckets = 65_536
        /// Verified credentials: 1,024, of eight bytes each.
        var credentials = 1024
        /// Credentials that are being verified at a time: 4. Further ones are answered 429.
        var verifications = 4
    }

    var buckets: BucketTable
    var credentials: CredentialCache
    /// How many checks have been handed out and not been concluded.
    var verifying = 0
    let limits: Limits

    init(limits: Limits = Limits()) {
        self.limits = limits
        self.buckets = BucketTable(limit: limits.buckets)
        self.credentials = CredentialCache(limit: limits.credentials)
    }
}
