/// Which requests an application gets: those that fulfil all of these conditions.
///
/// When several matches fit a request, the host decides first: the exact name, then the longest wildcard above it.
/// Among those of one host the longest prefix wins, then the one with more header conditions (more exact values, if
/// that is equal, and then the order of their names decides). When none of a host's matches fits, the next wider
/// wildcard is asked.
public struct RouteMatch: Sendable, Hashable {
    /// The hosts, in any case and without port: a name (`www.example.com`), all names below one (`*.example.com`), or
    /// `*` for what no other match claims.
    public var hosts: [String]
    /// The start of the path, in whole segments: `/api` is for `/api` and `/api/x`, not for `/apix`. Nil for every path.
    ///
    /// It may hold letters, digits and `-._~!$&'()*+,=:@`, and has 1,024 bytes at most. On a host with prefixes, a
    /// path that different servers would read as being under different prefixes is refused with 400: one with dot
    /// segments, and one where doubled, encoded or backward slashes, encoded characters or `;` make a difference.
    public var pathPrefix: String?
    /// Whether the instance gets the path without the prefix; what is left starts with one `/`.
    public var stripsPrefix: Bool
    /// Fields that the request must have. At most 16.
    public var headers: [HeaderCondition]

    /// Describes a match.
    public init(
        hosts: [String], pathPrefix: String? = nil, stripsPrefix: Bool = false, headers: [HeaderCondition] = []
    ) {
        self.hosts = hosts
        self.pathPrefix = pathPrefix
        self.stripsPrefix = stripsPrefix
        self.headers = headers
    }
}

/// A header field that a request must have.
public struct HeaderCondition: Sendable, Hashable {
    /// The field's name, in any case.
    public var name: String
    /// The value that one of the field's lines must have, byte by byte; nil when any will do.
    public var value: String?

    /// Describes a condition.
    public init(_ name: String, value: String? = nil) {
        self.name = name
        self.value = value
    }
}
