/// Sixteen secret bytes from which a router derives what clients must not be able to compute: cookies that name
/// instances, places in tables, and which release a client gets.
///
/// Routers that share a key, and one that is started again with it, agree about all of them.
public struct SecretKey: Sendable, Hashable, CustomStringConvertible {
    let low: UInt64
    let high: UInt64

    /// A key of these words, which should come from a generator fit for secrets.
    public init(_ low: UInt64, _ high: UInt64) {
        self.low = low
        self.high = high
    }

    /// A new key.
    public init(using generator: inout some RandomNumberGenerator) {
        self.init(generator.next(), generator.next())
    }

    /// Says nothing about the key.
    public var description: String { "SecretKey" }
}
