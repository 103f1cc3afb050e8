/// Asks for a name and a password (RFC 7617).
///
/// What is stored of a password is a text that only a ``PasswordVerifier`` understands: the router has no cryptography
/// of its own, and whoever embeds it chooses a slow, salted hash (crypt, scrypt, PBKDF2). Because that is slow, it is
/// done off the event loop and once: the loop remembers, by a hash with a secret key, what it was told.
public struct BasicAuthentication: Sendable, Hashable {
    /// Somebody who may come in.
    public struct User: Sendable, Hashable {
        /// The name.
        public let name: String
        /// What is stored of the password, such as `$6$salt$…`.
        public let passwordHash: String

        /// Describes a user.
        ///
        /// - Throws: ``RouterError`` when the name is empty or longer than 128 bytes, or has a colon or a control
        ///   character in it, or when there is no hash or one of more than 1,024 bytes.
        public init(_ name: String, passwordHash: String) throws(RouterError) {
            guard (1...128).contains(name.utf8.count), name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x3A && $0 != 0x7F })
            else {
                throw RouterError(.invalidRoute, "'\(name)' is not a user's name that browsers can send.")
            }
            guard (1...1024).contains(passwordHash.utf8.count) else {
                throw RouterError(.invalidRoute, "The password hash of '\(name)' is empty or over 1,024 bytes.")
            }
            self.name = name
            self.passwordHash = passwordHash
        }
    }

    /// What the password is for, as browsers show it.
    public let realm: String
    /// Who may come in; nobody, when empty.
    public let users: [User]

    /// Describes what is asked.
    ///
    /// - Throws: ``RouterError`` when the realm is empty, longer than 128 characters, or not plain ASCII text without
    ///   quotes and backslashes, or when a user is named twice.
    public init(realm: String, users: [User]) throws(RouterError) {
        guard (1...128).contains(realm.utf8.count),
            realm.utf8.allSatisfy({ (0x20..<0x7F).contains($0) && $0 != 0x22 && $0 != 0x5C })
        else {
            throw RouterError(.invalidRoute, "'\(realm)' is not a realm: give plain ASCII text without quotes.")
        }
        guard Set(users.map(\.name)).count == users.count else {
            throw RouterError(.invalidRoute, "A user of the realm '\(realm)' is named twice.")
        }
        self.realm = realm
        self.users = users
    }
}

/// Tells whether a password is the one of which a hash was stored. It may take its time, is called off the event loops,
/// and must compare in a time that does not depend on the password.
public typealias PasswordVerifier = @Sendable (_ password: [UInt8], _ passwordHash: String) -> Bool
