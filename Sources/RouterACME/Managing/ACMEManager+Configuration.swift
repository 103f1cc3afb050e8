extension ACMEManager {
    /// Which authority issues, to whom, and how it is asked.
    public struct Configuration: Sendable {
        /// The directories of known authorities.
        public enum Authority {
            /// Let's Encrypt.
            public static let letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"
            /// Let's Encrypt's place for trying things out, which no client trusts and whose limits are wide.
            public static let letsEncryptStaging = "https://acme-staging-v02.api.letsencrypt.org/directory"
        }

        /// The URL of the authority's directory.
        public var directory: String
        /// Whether you agree to the authority's terms of service. It has to be said: false.
        public var termsOfServiceAgreed: Bool
        /// Whom the authority may write to, as URLs: `mailto:admin@example.com`. None.
        public var contact: [String] = []
        /// Your account with the authority, where it takes customers only: none.
        public var externalAccount: ACMEExternalAccount?
        /// The kind of certificate, where the authority offers several (such as `shortlived`): its default.
        public var profile: String?
        /// The challenges by which hosts are proved, the preferred one first; when one fails, the next one is tried:
        /// HTTP-01, then TLS-ALPN-01.
        public var challenges: [ACMEChallengeKind] = [.http01, .tlsALPN01]

        /// Orders at the same time: 5.
        public var maxConcurrentOrders = 5
        /// How long an authority may take for an order, its waits added up: 5 min.
        public var orderPatience: Duration = .seconds(300)
        /// When a failed order is tried again: after 5 min, then 10 min, 20 min and so on, more or less by a fifth.
        /// Authorities stop listening after a few failures in an hour.
        public var firstRetry: Duration = .seconds(300)
        /// The longest time between two tries: 6 h.
        public var maxRetry: Duration = .seconds(6 * 3600)
        /// How often the authority is asked when to renew, unless it says how often itself: every 6 h.
        public var renewalQuestions: Duration = .seconds(6 * 3600)

        /// How many hosts that clients asked for are looked at in a minute: 10.
        public var demandsPerMinute = 10
        /// How many of them wait to be looked at: 1,000. Further ones are forgotten.
        public var maxWaitingDemands = 1_000
        /// For how long a host that the ``HostPolicy`` turned down is not asked about again: 10 min.
        public var refusalMemory: Duration = .seconds(600)

        /// The defaults, with this authority.
        public init(directory: String, termsOfServiceAgreed: Bool) {
            self.directory = directory
            self.termsOfServiceAgreed = termsOfServiceAgreed
        }
    }
}

extension ACMEManager.Configuration {
    /// Refuses what cannot work.
    func check() throws(ACMEError) {
        func require(_ condition: Bool, _ what: String) throws(ACMEError) {
            guard condition else { throw ACMEError(.invalidConfiguration, what) }
        }
        try require(
            self.directory.lowercased().hasPrefix("https://"),
            "The ACME directory '\(self.directory)' is not an https URL.")
        try require(!self.challenges.isEmpty, "There is no challenge by which hosts may be proved.")
        try require(self.maxConcurrentOrders >= 1, "The number of orders at the same time is below 1.")
        try require(self.demandsPerMinute >= 1, "The number of demands looked at in a minute is below 1.")
        try require(
            self.firstRetry > .zero && self.maxRetry >= self.firstRetry,
            "The times between tries are not positive, or the longest is shorter than the first.")
        try require(self.renewalQuestions > .zero, "The time between questions about renewal is not positive.")
        try require(
            self.contact.allSatisfy { $0.contains(":") },
            "A contact is a URL, such as mailto:admin@example.com.")
    }

    var tableSettings: HostTable.Settings {
        HostTable.Settings(
            maxConcurrentOrders: self.maxConcurrentOrders, firstRetry: self.firstRetry, maxRetry: self.maxRetry,
            renewalQuestions: self.renewalQuestions)
    }

    var gateSettings: DemandGate.Settings {
        DemandGate.Settings(
            perMinute: self.demandsPerMinute, maxWaiting: self.maxWaitingDemands, memory: self.refusalMemory)
    }
}
