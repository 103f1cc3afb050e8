/// One HTTP request of a git client, as the surrounding HTTP server hands it over.
///
/// Authentication and the mount point are the HTTP server's business: ``path`` begins with the repository, and
/// ``pusher`` is who it found the client to be.
public struct GitRequest: Sendable {
    /// `GET` or `POST`.
    public var method: String
    /// The path below the mount point, percent-decoded or not: `/NAME.git/info/refs`.
    public var path: String
    /// The query without its `?`: `service=git-receive-pack`.
    public var query: String
    /// The header fields, in any case and order.
    public var headers: [(name: String, value: String)]
    /// The authenticated principal, passed on in ``Push/pusher``.
    public var pusher: String?

    /// A request with all its parts.
    public init(
        method: String, path: String, query: String = "", headers: [(name: String, value: String)] = [],
        pusher: String? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.pusher = pusher
    }

    /// The first value of a header field; names compare without case.
    func header(_ name: String) -> String? {
        let wanted = name.lowercased()
        return self.headers.first { $0.name.lowercased() == wanted }?.value
    }

    /// The value of a query item.
    func queryItem(_ name: String) -> String? {
        for item in self.query.split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1)
            if parts.count == 2, parts[0] == name { return String(parts[1]) }
        }
        return nil
    }
}
