/// Writes the first message of a TLS client, well-formed or not.
struct HelloBuilder {
    var names: [String] = []
    var protocols: [String]?
    /// Bytes of an extension that nobody knows, to make the message large.
    var padding = 0
    var hasExtensions = true

    private static func counted(_ bytes: [UInt8], _ lengthBytes: Int) -> [UInt8] {
        (0..<lengthBytes).reversed().map { UInt8(truncatingIfNeeded: bytes.count >> ($0 * 8)) } + bytes
    }

    private static func `extension`(_ type: UInt8, _ content: [UInt8]) -> [UInt8] {
        [0, type] + self.counted(content, 2)
    }

    /// The handshake message.
    var message: [UInt8] {
        var extensions: [UInt8] = []
        if !self.names.isEmpty {
            let list = self.names.flatMap { name -> [UInt8] in [0] + Self.counted(Array(name.utf8), 2) }
            extensions += Self.extension(0, Self.counted(list, 2))
        }
        if let protocols = self.protocols {
            let list = protocols.flatMap { Self.counted(Array($0.utf8), 1) }
            extensions += Self.extension(16, Self.counted(list, 2))
        }
        if self.padding > 0 { extensions += Self.extension(21, [UInt8](repeating: 0, count: self.padding)) }
        var body: [UInt8] = [3, 3] + [UInt8](repeating: 7, count: 32)
        body += Self.counted([], 1) + Self.counted([0x13, 0x01], 2) + Self.counted([0], 1)
        if self.hasExtensions { body += Self.counted(extensions, 2) }
        return [1] + Self.counted(body, 3)
    }

    /// The message in records of at most so many bytes.
    func records(of size: Int = 16_384) -> [UInt8] {
        let message = self.message
        return stride(from: 0, to: message.count, by: size).flatMap { start -> [UInt8] in
            [22, 3, 1] + Self.counted(Array(message[start..<min(start + size, message.count)]), 2)
        }
    }
}
