internal import Crypto

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension Platform {
    /// Who has this token.
    ///
    /// - Throws: `unauthorised` when nobody has.
    public func authenticate(token: String) async throws(PlatformError) -> Principal {
        let digest = Self.digest(of: token)
        guard let record = try await self.reading({ try $0.token(digest: digest) }),
            let role = Role(rawValue: record.role)
        else { throw PlatformError(.unauthorised, "the token is not known to this platform") }
        return Principal(name: record.name, role: role)
    }

    /// Makes a token known as the only one of its principal: one that it had before is worth nothing any more. Only its
    /// digest is kept.
    public func register(token: String, for principal: Principal) async throws(PlatformError) {
        let record = TokenRecord(
            digest: Self.digest(of: token), name: principal.name, role: principal.role.rawValue, createdAt: self.now())
        try await self.writing { records in
            try records.deleteTokens(named: record.name)
            try records.save(record)
        }
    }

    private static func digest(of token: String) -> String {
        SHA256.hash(data: Data(token.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
