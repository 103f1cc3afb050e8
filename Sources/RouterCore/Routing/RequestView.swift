/// What rules read of a request. The bytes are valid during the call that is given the view, and no longer.
protocol RequestView {
    /// As the client spelt it; methods are case-sensitive.
    var method: UnsafeRawBufferPointer { get }
    /// The path and query as they came; empty for `/`, or `*`.
    var target: UnsafeRawBufferPointer { get }
    /// The host in any case, without port and final dot.
    var host: UnsafeRawBufferPointer { get }
    /// The host and port as they came.
    var authority: UnsafeRawBufferPointer { get }
    /// Whether the client speaks TLS, to this router or to a trusted proxy before it.
    var isSecure: Bool { get }
    /// Who asks; behind a trusted proxy, the client that it names.
    var client: ClientAddress { get }
    /// The first value of a field, whose name is given in lower case, for which `test` holds.
    func firstValue(
        _ name: UnsafeRawBufferPointer, where test: (UnsafeRawBufferPointer) -> Bool
    ) -> UnsafeRawBufferPointer?
}

extension RequestView {
    /// The path, without query; `/` is empty or not as it came.
    var path: UnsafeRawBufferPointer {
        let target = self.target
        guard let end = target.firstIndex(of: 0x3F) else { return target }
        return UnsafeRawBufferPointer(rebasing: target[0..<end])
    }

    /// The first value of a field for which `test` holds.
    func firstValue(
        _ name: StaticString, where test: (UnsafeRawBufferPointer) -> Bool = { _ in true }
    ) -> UnsafeRawBufferPointer? {
        self.firstValue(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), where: test)
    }
}

/// An HTTP/1 request's head as rules see it.
struct HeadView: RequestView {
    let head: RequestHead
    let bytes: UnsafeRawBufferPointer
    let fields: UnsafeBufferPointer<HeadField>
    let isSecure: Bool
    let client: ClientAddress

    /// - Parameters:
    ///   - head: what was parsed.
    ///   - bytes: what it was parsed from.
    ///   - fields: the fields of the head.
    init(
        _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, fields: UnsafeBufferPointer<HeadField>, isSecure: Bool,
        client: ClientAddress
    ) {
        self.head = head
        self.bytes = bytes
        self.fields = fields
        self.isSecure = isSecure
        self.client = client
    }

    var method: UnsafeRawBufferPointer { self.bytes[self.head.methodRange] }
    var target: UnsafeRawBufferPointer { self.bytes[self.head.target] }
    var host: UnsafeRawBufferPointer { self.bytes[self.head.host] }
    var authority: UnsafeRawBufferPointer { self.bytes[self.head.authority] }

    func firstValue(
        _ name: UnsafeRawBufferPointer, where test: (UnsafeRawBufferPointer) -> Bool
    ) -> UnsafeRawBufferPointer? {
        for field in self.fields where field.name.count == name.count {
            let spelt = self.bytes[field.name]
            guard name.indices.allSatisfy({ ByteClass.lowercased(spelt[$0]) == name[$0] }) else { continue }
            let value = self.bytes[field.value]
            if test(value) { return value }
        }
        return nil
    }
}
