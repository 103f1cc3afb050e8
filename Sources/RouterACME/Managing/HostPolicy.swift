/// Decides whether a host that a client asked for, and that nobody has set, gets a certificate.
///
/// It is what keeps a stranger, who can point any name to this machine, from using up the authority's patience: say yes
/// only to hosts that you know, such as those in a table of domains.
///
/// ```swift
/// let policy = HostPolicy { host in await domains.contains(host) }
/// ```
public struct HostPolicy: Sendable {
    let isKnown: @Sendable (String) async -> Bool

    /// Makes a policy.
    ///
    /// - Parameter isKnown: gets a host in lower case. It is asked again before each renewal.
    public init(isKnown: @escaping @Sendable (String) async -> Bool) { self.isKnown = isKnown }
}
