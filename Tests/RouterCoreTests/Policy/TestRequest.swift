@testable import RouterCore

/// A request of a test, which keeps its bytes for as long as it lives.
final class TestRequest: RequestView {
    let method: UnsafeRawBufferPointer
    let target: UnsafeRawBufferPointer
    let host: UnsafeRawBufferPointer
    let authority: UnsafeRawBufferPointer
    let isSecure: Bool
    let client: ClientAddress
    private let fields: [(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)]

    init(
        _ target: String = "/", host: String = "example.com", port: String = "", method: String = "GET",
        isSecure: Bool = false, client: String = "192.0.2.1", fields: [(String, String)] = []
    ) {
        self.method = Self.copy(method.utf8)
        self.target = Self.copy(target.utf8)
        self.host = Self.copy(host.utf8)
        self.authority = Self.copy((host + port).utf8)
        self.isSecure = isSecure
        self.client = ClientAddress(client) ?? .unknown
        self.fields = fields.map { (Self.copy($0.lowercased().utf8), Self.copy($1.utf8)) }
    }

    deinit {
        for bytes in [self.method, self.target, self.host, self.authority] { bytes.deallocate() }
        for field in self.fields {
            field.name.deallocate()
            field.value.deallocate()
        }
    }

    private static func copy(_ bytes: some Collection<UInt8>) -> UnsafeRawBufferPointer {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        copy.copyBytes(from: bytes)
        return UnsafeRawBufferPointer(copy)
    }

    func firstValue(
        _ name: UnsafeRawBufferPointer, where test: (UnsafeRawBufferPointer) -> Bool
    ) -> UnsafeRawBufferPointer? {
        self.fields.first { $0.name.elementsEqual(name) && test($0.value) }?.value
    }
}

extension LoopRandom {
    /// A number from 0 up to and without `bound`.
    mutating func below(_ bound: Int) -> Int { Int(self.next() % UInt64(bound)) }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[self.below(elements.count)] }
}
