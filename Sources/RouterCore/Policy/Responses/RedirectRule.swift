/// Sends clients that ask for a path elsewhere.
public struct RedirectRule: Sendable, Hashable {
    /// Which paths it is for.
    public enum Source: Sendable, Hashable {
        /// This path.
        case exact(String)
        /// This path and all below it, in whole segments.
        case prefix(String)
    }

    /// The status of the answer.
    public enum Status: Int, Sendable, Hashable {
        /// For good; the client may make a GET of a POST.
        case movedPermanently = 301
        /// For now; the client may make a GET of a POST.
        case found = 302
        /// For now, with the same method.
        case temporaryRedirect = 307
        /// For good, with the same method.
        case permanentRedirect = 308
    }

    /// Which paths it is for.
    public let source: Source
    /// Where to: a path, or an address that starts with `http://` or `https://`.
    public let target: String
    /// The status of the answer.
    public let status: Status
    let parts: RedirectTarget

    /// Describes a redirect.
    ///
    /// In the target, `{host}` stands for the request's host, without port; `{path}` for its path, and for a prefix only
    /// for what comes after the prefix; `{query}` for its query with the question mark, or nothing. A target that is a
    /// path is one of the host and port that the client asked.
    ///
    /// Clients cannot choose where they, or others, are sent: the host is written in the target, or is the request's
    /// own, and nothing else can come to stand where a client looks for a host. What a client sends cannot end the
    /// line.
    ///
    /// - Throws: ``RouterError`` when the paths or the target are malformed.
    public init(_ source: Source, to target: String, status: Status) throws(RouterError) {
        let path =
            switch source {
            case .exact(let path), .prefix(let path): path
            }
        guard path.utf8.first == 0x2F, path.utf8.count <= 2048,
            path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3F && $0 != 0x23 })
        else {
            throw RouterError(
                .invalidRoute, "'\(path)' is not a path to redirect: give one like /old, as clients send it.")
        }
        self.parts = try RedirectTarget(target)
        self.source = source
        self.target = target
        self.status = status
    }

    /// What `{path}` stands for when the rule is for this path; nil when it is not.
    func remainder(of path: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        switch self.source {
        case .exact(let wanted): return path.elementsEqual(wanted.utf8) ? path : nil
        case .prefix(let prefix):
            var count = prefix.utf8.count
            if prefix.utf8.last == 0x2F { count -= 1 }
            guard path.count >= count, path.prefix(count).elementsEqual(prefix.utf8.prefix(count)),
                path.count == count || path[count] == 0x2F
            else { return nil }
            return UnsafeRawBufferPointer(rebasing: path[count...])
        }
    }
}
