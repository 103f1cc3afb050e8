/// What an application's requests meet before they reach an instance, and what is changed about its responses. All of
/// it is off by default.
///
/// A request is asked in this order, and the first answer counts: ``addresses`` (403), ``rateLimits`` (429),
/// ``https``, ``canonicalHost``, ``redirects``, ``authentication`` (401). So a stranger is turned away before anything
/// is counted, guesses at a password are counted, and a password is asked for only where it is not overheard.
public struct RoutePolicy: Sendable, Hashable {
    /// Which clients may come, by address.
    public var addresses: AddressRules?
    /// How often they may come.
    public var rateLimits: RateLimits?
    /// Sends clients that come without TLS to `https`.
    public var https: HTTPSEnforcement?
    /// Has browsers come with TLS only: the `Strict-Transport-Security` field of responses over TLS.
    public var strictTransportSecurity: StrictTransportSecurity?
    /// Sends clients that come by another name to this one.
    public var canonicalHost: CanonicalHost?
    /// Sends clients elsewhere, by path. The first rule that fits counts; at most 1,000.
    public var redirects: [RedirectRule] = []
    /// Asks for a name and a password.
    public var authentication: BasicAuthentication?
    /// What is changed about the fields of responses, the instances' and the router's own, in this order; at most 64.
    public var responseFields: [ResponseFieldRule] = []
    /// Pages for the router's own answers; at most 64.
    public var errorPages: [ErrorPageRule] = []

    /// Nothing.
    public init() {}

    /// Refuses too much of anything.
    func check(application: String) throws(RouterError) {
        func require(_ condition: Bool, _ what: String) throws(RouterError) {
            guard condition else {
                throw RouterError(
                    .invalidRoute, "The policy of application '\(application)' cannot be used: it has \(what).")
            }
        }
        try require(self.redirects.count <= 1000, "more than 1,000 redirects")
        try require(self.responseFields.count <= 64, "more than 64 rules for response fields")
        try require(self.errorPages.count <= 64, "more than 64 error pages")
        try require(
            (self.addresses.map { $0.allowed.count + $0.denied.count } ?? 0) <= 100_000, "more than 100,000 addresses")
        try require((self.authentication?.users.count ?? 0) <= 1000, "more than 1,000 users")
    }
}

/// Which clients may come.
public struct AddressRules: Sendable, Hashable {
    /// Only these may; empty for everybody.
    public var allowed: [AddressRange]
    /// These may not, even when they are ``allowed``.
    public var denied: [AddressRange]

    /// Describes rules.
    public init(allowed: [AddressRange] = [], denied: [AddressRange] = []) {
        self.allowed = allowed
        self.denied = denied
    }
}
