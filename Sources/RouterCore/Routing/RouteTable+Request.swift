extension RouteTable {
    /// The route for a request.
    ///
    /// - Parameters:
    ///   - host: the request's host, without port.
    ///   - path: its path, as the client sent it.
    ///   - fields: its header fields, as far as matches ask for them.
    /// - Returns: nil when no match fits, and when the path must be refused (see ``RouteMatch/pathPrefix``).
    public func route(
        host: String, path: String, fields: [(name: String, value: String)] = []
    ) -> ApplicationRoute? {
        var text = TextRequest.Text()
        let host = text.append(host.utf8)
        let path = text.append(path.utf8)
        let fields = fields.map { (text.append($0.name.utf8.map(ByteClass.lowercased)), text.append($0.value.utf8)) }
        return text.bytes.withUnsafeBytes { bytes in
            let request = TextRequest(bytes: bytes, hostRange: host, targetRange: path, fields: fields)
            if case .found(let route, _) = self.index.find(request) { return route }
            return nil
        }
    }
}

/// A request of which only what matches ask for is known.
private struct TextRequest: RequestView {
    /// Texts one behind the other.
    struct Text {
        var bytes: [UInt8] = []

        mutating func append(_ text: some Sequence<UInt8>) -> ByteRange {
            let start = self.bytes.count
            self.bytes += text
            return ByteRange(start, self.bytes.count)
        }
    }

    let bytes: UnsafeRawBufferPointer
    let hostRange: ByteRange
    let targetRange: ByteRange
    let fields: [(name: ByteRange, value: ByteRange)]

    var method: UnsafeRawBufferPointer { self.bytes[.empty] }
    var target: UnsafeRawBufferPointer { self.bytes[self.targetRange] }
    var host: UnsafeRawBufferPointer { self.bytes[self.hostRange] }
    var authority: UnsafeRawBufferPointer { self.host }
    var isSecure: Bool { false }
    var client: ClientAddress { .unknown }

    func firstValue(
        _ name: UnsafeRawBufferPointer, where test: (UnsafeRawBufferPointer) -> Bool
    ) -> UnsafeRawBufferPointer? {
        for field in self.fields where self.bytes[field.name].elementsEqual(name) && test(self.bytes[field.value]) {
            return self.bytes[field.value]
        }
        return nil
    }
}
