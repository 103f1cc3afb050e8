/// The header by which a proxy in front says whose connection it passes on (the PROXY protocol of HAProxy, versions 1
/// and 2).
enum ProxyHeader: Equatable {
    /// More bytes are needed.
    case partial
    /// It is not one, or not a good one.
    case malformed
    /// It takes so many bytes. `client` is nil when the proxy speaks for itself (LOCAL, UNKNOWN).
    case complete(length: Int, client: ClientAddress?)

    /// The longest header of version 1, and the longest of version 2 that is read.
    private static let textLimit = 107
    private static let binaryLimit = 4096
    private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]

    /// Reads the header at the start of a connection's bytes.
    init(_ bytes: UnsafeRawBufferPointer) {
        let text: StaticString = "PROXY "
        let isText = (0..<min(6, bytes.count)).allSatisfy { bytes[$0] == text.utf8Start[$0] }
        let isBinary = (0..<min(12, bytes.count)).allSatisfy { bytes[$0] == Self.signature[$0] }
        if isText {
            self = bytes.count < 6 ? .partial : Self.readText(bytes)
        } else if isBinary {
            self = bytes.count < 16 ? .partial : Self.readBinary(bytes)
        } else {
            self = .malformed
        }
    }

    private static func readText(_ bytes: UnsafeRawBufferPointer) -> ProxyHeader {
        let window = bytes.prefix(self.textLimit)
        guard let end = window.firstIndex(of: 13), end + 1 < window.endIndex else {
            return bytes.count >= self.textLimit ? .malformed : .partial
        }
        guard bytes[end + 1] == 10 else { return .malformed }
        let words = bytes[0..<end].split(separator: 32, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        if words.count >= 2, words[1] == "UNKNOWN" { return .complete(length: end + 2, client: nil) }
        guard words.count == 6, words[1] == "TCP4" || words[1] == "TCP6",
            let address = ClientAddress(words[2]), ClientAddress(words[3]) != nil,
            words[2].contains(":") == (words[1] == "TCP6"), words[3].contains(":") == (words[1] == "TCP6"),
            UInt16(words[4]) != nil, UInt16(words[5]) != nil
        else { return .malformed }
        return .complete(length: end + 2, client: address)
    }

    private static func readBinary(_ bytes: UnsafeRawBufferPointer) -> ProxyHeader {
        let length = 16 + Int(bytes[14]) << 8 + Int(bytes[15])
        guard bytes[12] >> 4 == 2, length <= self.binaryLimit else { return .malformed }
        guard bytes.count >= length else { return .partial }
        switch (bytes[12] & 0xF, bytes[13] >> 4) {
        case (0, _), (1, 0): return .complete(length: length, client: nil)
        case (1, 1):
            guard length >= 16 + 12 else { return .malformed }
            return .complete(
                length: length, client: ClientAddress(bytes: UnsafeRawBufferPointer(rebasing: bytes[16..<20])))
        case (1, 2):
            guard length >= 16 + 36 else { return .malformed }
            return .complete(
                length: length, client: ClientAddress(bytes: UnsafeRawBufferPointer(rebasing: bytes[16..<32])))
        case (1, 3): return .complete(length: length, client: nil)
        default: return .malformed
        }
    }
}
