/// What the policies of all applications remember on one event loop, which owns it: nothing is shared and nothing
/// locked.
struct PolicyState {
    /// How much is remembered.
    struct Limits: Sendable {
        /// Buckets of clients and applications: 65,536, of 32 bytes each.
        var buckets = 65_536
        /// Verified credentials: 1,024, of eight bytes each.
        var credentials = 1024
        /// Credentials that are being verified at a time: 8. Further ones are answered 429.
        var verifications = 8
        /// How many of them for one client: 4, so that who makes up passwords keeps nobody else out.
        var verificationsPerClient = 4
    }

    var buckets: BucketTable
    var credentials: CredentialCache
    /// How many checks have been handed out and not been concluded, by client.
    private var verifyingFor: [ClientAddress: Int] = [:]
    var verifying: Int { self.verifyingFor.values.reduce(0, +) }
    let limits: Limits

    init(limits: Limits = Limits()) {
        self.limits = limits
        self.buckets = BucketTable(limit: limits.buckets)
        self.credentials = CredentialCache(limit: limits.credentials)
    }

    /// Whether a client's credentials may be verified now.
    mutating func beginVerifying(for client: ClientAddress) -> Bool {
        let count = self.verifyingFor[client, default: 0]
        guard count < self.limits.verificationsPerClient, self.verifying < self.limits.verifications else {
            return false
        }
        self.verifyingFor[client] = count + 1
        return true
    }

    mutating func endVerifying(for client: ClientAddress) {
        guard let count = self.verifyingFor[client] else { return }
        self.verifyingFor[client] = count > 1 ? count - 1 : nil
    }
}
