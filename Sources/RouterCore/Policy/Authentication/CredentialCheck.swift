/// Credentials that have to be verified, off the event loop.
struct CredentialCheck: Sendable {
    /// Under what the answer is remembered.
    let hash: UInt64
    /// Who asks.
    var client = ClientAddress.unknown
    fileprivate let password: [UInt8]
    fileprivate let passwordHash: String
    /// Without such a user the same work is done, so that its duration does not tell who is one.
    fileprivate let isUser: Bool

    /// Whether the credentials are right.
    func run(_ verifier: PasswordVerifier) -> Bool {
        verifier(self.password, self.passwordHash) && self.isUser
    }
}

/// A route's authentication, ready to be asked.
struct PreparedAuthentication: Sendable {
    enum Verdict {
        case accepted
        case refused
        case mustVerify(CredentialCheck)
    }

    /// Longer credentials than browsers send are refused unread.
    static var limit: Int { 1024 }

    /// The refusal's field line.
    let challenge: [UInt8]
    private let users: [BasicAuthentication.User]
    /// Has taken in everything that the answer depends on besides the credentials, so that changing a user's password
    /// makes what is remembered unreachable.
    private let seed: SipHash

    init(_ authentication: BasicAuthentication, application: String, key: SecretKey) {
        self.challenge = Array(
            "WWW-Authenticate: Basic realm=\"\(authentication.realm)\", charset=\"UTF-8\"\r\n".utf8)
        self.users = authentication.users
        var seed = SipHash(key, "credentials")
        seed.add(field: application)
        for user in authentication.users {
            seed.add(field: user.name)
            seed.add(field: user.passwordHash)
        }
        self.seed = seed
    }

    /// What is to be done about the value of an `Authorization` field.
    func verdict(_ value: UnsafeRawBufferPointer?, _ cache: CredentialCache) -> Verdict {
        guard let value, value.count <= Self.limit, value.count > 6,
            UnsafeRawBufferPointer(rebasing: value[0..<6]).spells("basic ")
        else { return .refused }
        let encoded = trim(value, from: 6, to: value.count)
        var seed = self.seed
        seed.add(encoded)
        let hash = seed.finish()
        if let answer = cache.answer(hash) { return answer ? .accepted : .refused }
        guard let decoded = Self.decode(encoded), let colon = decoded.firstIndex(of: 0x3A) else { return .refused }
        let user = self.users.first { $0.name.utf8.elementsEqual(decoded[..<colon]) }
        guard let stored = user ?? self.users.first else { return .refused }
        return .mustVerify(
            CredentialCheck(
                hash: hash, password: Array(decoded[(colon + 1)...]), passwordHash: stored.passwordHash,
                isUser: user != nil))
    }

    /// Decodes Base64, with or without padding; nil when it is not.
    static func decode(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        var end = text.count
        while end > 0, text.count - end < 2, text[end - 1] == 0x3D { end -= 1 }
        guard end % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(end * 3 / 4)
        var word: UInt32 = 0
        for index in 0..<end {
            let value: UInt8
            switch text[index] {
            case 0x41...0x5A: value = text[index] - 0x41
            case 0x61...0x7A: value = text[index] - 0x61 + 26
            case 0x30...0x39: value = text[index] - 0x30 + 52
            case 0x2B: value = 62
            case 0x2F: value = 63
            default: return nil
            }
            word = word << 6 | UInt32(value)
            switch index & 3 {
            case 1: bytes.append(UInt8(truncatingIfNeeded: word >> 4))
            case 2: bytes.append(UInt8(truncatingIfNeeded: word >> 2))
            case 3: bytes.append(UInt8(truncatingIfNeeded: word))
            default: break
            }
        }
        return bytes
    }
}
