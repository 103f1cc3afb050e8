/// An account that the user has with an authority by other means, and to which the ACME account is bound.
///
/// The authority shows both values to its customer.
public struct ACMEExternalAccount: Sendable, CustomStringConvertible, CustomReflectable {
    /// The name of the key.
    public var keyID: String
    let key: [UInt8]

    /// Describes an account.
    ///
    /// - Parameters:
    ///   - keyID: the name of the key, as the authority gave it.
    ///   - key: the key in base64url, as the authority gave it.
    /// - Throws: ``ACMEError`` when it is not base64url, or empty.
    public init(keyID: String, key: String) throws(ACMEError) {
        guard let bytes = Base64URL.decode(key), !bytes.isEmpty else {
            throw ACMEError(
                .invalidConfiguration, "The key of the external account '\(keyID)' is not base64url. Copy it whole.")
        }
        self.keyID = keyID
        self.key = bytes
    }

    /// The name of the key, never the key.
    public var description: String { "external account \(self.keyID)" }

    /// The name of the key, so that `dump` does not show the key.
    public var customMirror: Mirror { Mirror(self, children: ["keyID": self.keyID]) }
}
