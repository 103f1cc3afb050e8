/// Where an authority has its resources (RFC 8555 section 7.1.1).
struct Directory: Decodable, Sendable {
    struct Meta: Decodable, Sendable {
        var termsOfService: String?
        var externalAccountRequired: Bool?
    }

    var newNonce: String
    var newAccount: String
    var newOrder: String
    /// Present when the authority tells when to renew (RFC 9773).
    var renewalInfo: String?
    var meta: Meta?
}

struct Identifier: Codable, Equatable {
    var type = "dns"
    var value: String
}

/// What an order is made with.
struct NewOrder: Encodable {
    var identifiers: [Identifier]
    var profile: String?
    /// The certificate that the new one takes the place of (RFC 9773 section 5).
    var replaces: String?
}

struct Order: Decodable {
    var status: String
    var authorizations: [String]?
    var finalize: String?
    var certificate: String?
    var error: ACMEProblem?
}

struct Authorization: Decodable {
    var status: String
    var identifier: Identifier
    var challenges: [Challenge]
}

struct Challenge: Decodable, Equatable {
    var type: String
    var url: String
    var status: String?
    var token: String?
    var error: ACMEProblem?
}

/// What an account is made with.
struct NewAccount: Encodable {
    var termsOfServiceAgreed: Bool?
    var contact: [String]?
    var externalAccountBinding: SignedRequest?
}

/// When the authority wants a certificate renewed (RFC 9773 section 4.2).
struct RenewalInfo: Decodable {
    struct Window: Decodable {
        var start: String
        var end: String
    }

    var suggestedWindow: Window
}
