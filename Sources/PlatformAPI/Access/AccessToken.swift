#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// The token in an `Authorization` field: `Bearer TOKEN`, or `Basic` with the token as the password, as git sends it.
struct AccessToken: Equatable {
    let value: String

    /// `nil` when the field holds no token that could be one.
    init?(authorization field: String) {
        guard let space = field.firstIndex(of: " ") else { return nil }
        let credentials = field[field.index(after: space)...].drop { $0 == " " }
        switch field[..<space].lowercased() {
        case "bearer":
            self.init(token: credentials)
        case "basic":
            guard let bytes = Data(base64Encoded: String(credentials)),
                let pair = String(validating: bytes, as: UTF8.self), let colon = pair.firstIndex(of: ":")
            else { return nil }
            self.init(token: pair[pair.index(after: colon)...])
        default:
            return nil
        }
    }

    private init?(token: Substring) {
        // No token is longer, so a longer one need not be hashed.
        guard !token.isEmpty, token.utf8.count <= 1024 else { return nil }
        self.value = String(token)
    }
}
