/// How one of an application's instances is chosen for a request.
///
/// Whatever is chosen: instances that are set aside come last, and one at its limit is not given more.
public enum InstanceSelection: Sendable, Hashable {
    /// Of two at random the less busy one; by lot when their weights differ.
    case leastBusy
    /// In turn, each as often as its weight says and as evenly spread as possible. Weights that sum up to more than
    /// 1,024 after division by their common divisor are rounded.
    case roundRobin
    /// The one that the client's last request went to, known by a cookie that the router sets; the first time, and when
    /// that instance has gone, by ``leastBusy``.
    ///
    /// The cookie's value is a keyed hash, which says nothing about instances and cannot be made up. It is `HttpOnly`
    /// and `SameSite=Lax`, and `Secure` over TLS. While its instance is only set aside or full, requests go to another
    /// one, and the cookie stays.
    ///
    /// - Parameters:
    ///   - cookie: the cookie's name.
    ///   - maxAge: how long the client keeps it; nil for its session.
    case sticky(cookie: String, maxAge: Duration? = nil)
}

/// A release's share of the clients.
///
/// A client stays with its release without a cookie: a keyed hash of what it is known by decides. When a release's
/// weight grows, clients move to it from the others, and none moves between the others.
public struct ReleaseShare: Sendable, Hashable {
    /// The release, as ``Backend/release`` names it.
    public var name: String
    /// Its share relative to the other releases, 0 for none.
    public var weight: Int

    /// Describes a share.
    public init(_ name: String, weight: Int) {
        self.name = name
        self.weight = weight
    }
}

/// By what a client is known when it is given a release.
public enum ReleaseKey: Sendable, Hashable {
    /// Its address; of an IPv6 address the first 64 bits, since a client changes the others as it likes.
    case clientAddress
    /// The value of a header field; clients without it are known by their address.
    case header(String)
}

/// How requests wait while an application has no instance.
public struct HoldPolicy: Sendable, Hashable {
    /// How long a request waits: 60 s. Then the answer is 503.
    public var timeout: Duration = .seconds(60)
    /// How many wait at once: 100. Further ones are answered 503.
    public var maxRequests = 100
    /// How many bytes of them are kept: 4 MiB. Further ones are answered 503.
    public var maxBytes = 4 << 20
    /// How soon at the earliest the application is asked to start again while requests still wait: 10 s.
    public var wakeInterval: Duration = .seconds(10)

    /// The defaults.
    public init() {}
}
