import Foundation

/// Inputs to begin with: what clients and instances send in the conformance cases.
struct Seeds {
    var cases: String
    var corpus: String

    func write() {
        for file in (try? FileManager.default.contentsOfDirectory(atPath: self.cases)) ?? [] {
            guard let text = try? String(contentsOfFile: "\(self.cases)/\(file)", encoding: .utf8) else { continue }
            for (number, part) in text.components(separatedBy: "\n== ").enumerated() {
                let client = Self.bytes(part, ">")
                let instance = Self.bytes(part, "<")
                let name = "\(file)-\(number)"
                // The first byte of an input says how it is cut, or what was asked.
                if !client.isEmpty { self.write([7] + client, "request", name) }
                if !instance.isEmpty { self.write([0] + instance, "response", name) }
                self.write(Self.operation(0, client) + Self.operation(1, instance), "exchange", name)
            }
        }
        let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
        let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]
        let block: [UInt8] = [0x82, 0x86, 0x84, 0x41, 1, 0x61]
        self.write(preface + settings + [0, 0, 6, 1, 5, 0, 0, 0, 1] + block, "http2-server", "get")
        self.write(
            preface + settings + [0, 0, 6, 1, 4, 0, 0, 0, 1] + [0x83] + block.dropFirst()
                + [0, 0, 2, 0, 1, 0, 0, 0, 1, 1, 2], "http2-server", "post")
        self.write(settings + [0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88], "http2-client", "answer")
        self.write(block, "hpack", "get")
        self.write([0x40, 1, 0x61, 1, 0x62, 0x20, 0x3F, 0xE1, 0x1F, 0x0F, 1, 0x82, 0xFF, 0xFF], "hpack", "others")
        self.write(Array("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET".utf8), "proxy-header", "text")
        let binary: [UInt8] = [
            13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10, 0x21, 0x11, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8,
        ]
        self.write(binary + [0, 1, 0, 2], "proxy-header", "binary")
        let name: [UInt8] = [0, 0, 0, 6, 0, 4, 0, 0, 1, 0x61]
        let hello: [UInt8] =
            [3, 3] + [UInt8](repeating: 7, count: 32) + [0, 0, 2, 0x13, 1, 1, 0, 0, UInt8(name.count)] + name
        let message: [UInt8] = [1, 0, 0, UInt8(hello.count)] + hello
        self.write([22, 3, 1, 0, UInt8(message.count)] + message, "client-hello", "named")
        for (number, path) in ["/a/b", "/a//b/%2e%2e/c", "/%61;x/..\\b", "/a%252fb"].enumerated() {
            self.write(Array(path.utf8), "path", "\(number)")
        }
    }

    /// The bytes of the lines that begin so.
    private static func bytes(_ part: String, _ mark: String) -> [UInt8] {
        part.split(separator: "\n", omittingEmptySubsequences: true).flatMap { line -> [UInt8] in
            guard line.hasPrefix(mark) else { return [] }
            let text = String(line.dropFirst(1)).drop { $0 == " " }
            guard let (bytes, endsLine) = try? CaseText.bytes(String(text)) else { return [] }
            return bytes + (endsLine ? [13, 10] : [])
        }
    }

    private static func operation(_ kind: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        stride(from: 0, to: bytes.count, by: 255).flatMap { start -> [UInt8] in
            let piece = bytes[start..<min(start + 255, bytes.count)]
            return [kind, UInt8(piece.count)] + piece
        }
    }

    private func write(_ bytes: [UInt8], _ target: String, _ name: String) {
        // Those that test limits are longer than what is worth trying.
        guard bytes.count <= 4096 else { return }
        let folder = "\(self.corpus)/\(target)"
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        _ = FileManager.default.createFile(atPath: "\(folder)/seed-\(name)", contents: Data(bytes))
    }
}
