/// What is wrong with a certificate, a key or the settings of TLS. Never holds anything of a private key.
public struct TLSError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private let value: String
        private init(_ value: String) { self.value = value }
        /// The code's name.
        public var description: String { self.value }

        /// A file cannot be read, or is too large to be what it should be.
        public static let unreadableFile = Self("unreadableFile")
        /// There is no certificate in the bytes, or a malformed one.
        public static let malformedCertificate = Self("malformedCertificate")
        /// There is no private key in the bytes, or a malformed or encrypted one.
        public static let malformedKey = Self("malformedKey")
        /// The private key belongs to another certificate.
        public static let keyMismatch = Self("keyMismatch")
        /// The key is too small to be safe, too large to be quick, or of a kind that is not used here.
        public static let unsuitableKey = Self("unsuitableKey")
        /// The certificate names more hosts than one may.
        public static let tooManyHosts = Self("tooManyHosts")
        /// The certificate names no host, and none was given.
        public static let noHosts = Self("noHosts")
        /// A host is not one that a certificate can be for.
        public static let invalidHost = Self("invalidHost")
        /// The certificate is not valid for the host it is to be used for.
        public static let hostNotCovered = Self("hostNotCovered")
        /// The TLS library refused what was given to it.
        public static let refused = Self("refused")
    }

    /// The kind of failure.
    public var code: Code
    /// What happened, where, and what to do about it.
    public var message: String
    /// The failure underneath.
    public var cause: (any Error)?

    /// Makes an error.
    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// The message, with the cause.
    public var description: String {
        if let cause = self.cause { return "\(self.message) (\(cause))" }
        return self.message
    }
}
