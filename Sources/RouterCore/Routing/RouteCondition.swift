/// What a match asks for besides the host, checked and ready to be compared.
struct RouteCondition: Hashable, Sendable {
    struct Header: Hashable, Sendable {
        /// In lower case.
        var name: [UInt8]
        var value: [UInt8]?
    }

    /// Starts with a slash and does not end in one; empty for every path.
    var prefix: [UInt8] = []
    /// Ordered by name; no name twice.
    var headers: [Header] = []

    var isNone: Bool { self.prefix.isEmpty && self.headers.isEmpty }

    /// Checks a match.
    init(_ match: RouteMatch, application: String) throws(RouterError) {
        func refuse(_ why: String) -> RouterError {
            RouterError(.invalidRoute, "The route of application '\(application)' cannot be used: \(why)")
        }
        if let text = match.pathPrefix {
            guard let prefix = Self.prefix(text) else {
                throw refuse(
                    "'\(text)' is not a path prefix. Give whole segments like /api/v1, without dot segments, doubled "
                        + "slashes, or anything but letters, digits and -._~!$&'()*+,=:@.")
            }
            self.prefix = prefix
        }
        guard !match.stripsPrefix || !self.prefix.isEmpty else { throw refuse("there is no prefix to strip.") }
        guard match.headers.count <= 16 else { throw refuse("a match has more than 16 header conditions.") }
        for condition in match.headers {
            guard !condition.name.isEmpty, condition.name.utf8.allSatisfy(ByteClass.isToken) else {
                throw refuse("'\(condition.name)' is not the name of a header field.")
            }
            let value = condition.value.map { Array($0.utf8) }
            guard value?.allSatisfy(ByteClass.isFieldValue) ?? true else {
                throw refuse("the value asked of '\(condition.name)' holds a control character.")
            }
            self.headers.append(Header(name: condition.name.utf8.map(ByteClass.lowercased), value: value))
        }
        self.headers.sort { $0.name.lexicographicallyPrecedes($1.name) }
        for (one, next) in zip(self.headers, self.headers.dropFirst()) where one.name == next.name {
            throw refuse("a match has two conditions on '\(String(decoding: one.name, as: UTF8.self))'.")
        }
    }

    /// A prefix without what different servers read differently; nil when there is something of the kind.
    private static func prefix(_ text: String) -> [UInt8]? {
        var bytes = Array(text.utf8)
        guard bytes.first == 0x2F, bytes.count <= 1024 else { return nil }
        if bytes.last == 0x2F { bytes.removeLast() }
        let segments = bytes.split(separator: 0x2F, omittingEmptySubsequences: false).dropFirst()
        for segment in segments {
            guard !segment.isEmpty, segment != [0x2E], segment != [0x2E, 0x2E],
                segment.allSatisfy({ ByteClass.isAlphanumeric($0) || "-._~!$&'()*+,=:@".utf8.contains($0) })
            else { return nil }
        }
        return bytes
    }

    /// Whether it is asked before `other`, of the same host. The order is total, so that it does not matter which
    /// application came first.
    func precedes(_ other: RouteCondition) -> Bool {
        if self.prefix.count != other.prefix.count { return self.prefix.count > other.prefix.count }
        if self.headers.count != other.headers.count { return self.headers.count > other.headers.count }
        let values = self.headers.count { $0.value != nil }
        let otherValues = other.headers.count { $0.value != nil }
        if values != otherValues { return values > otherValues }
        return self.sortKey.lexicographicallyPrecedes(other.sortKey)
    }

    private var sortKey: [UInt8] {
        self.headers.reduce(into: self.prefix) { $0 += [0] + $1.name + ($1.value.map { [0x3D] + $0 } ?? []) }
    }

    // MARK: Requests

    /// Whether a path starts with the prefix, in whole segments.
    @inline(__always)
    func fits(path: UnsafeRawBufferPointer) -> Bool {
        let count = self.prefix.count
        guard path.count >= count else { return false }
        for index in 0..<count where path[index] != self.prefix[index] { return false }
        return path.count == count || count == 0 || path[count] == 0x2F
    }

    /// Whether a request has the fields.
    func fits(fieldsOf request: some RequestView) -> Bool {
        for header in self.headers {
            let found = header.name.withUnsafeBytes { name in
                request.firstValue(name) { value in
                    guard let wanted = header.value else { return true }
                    return value.elementsEqual(wanted)
                }
            }
            if found == nil { return false }
        }
        return true
    }
}
