import Testing

@testable import RouterCore

/// The examples of RFC 7541, Appendix C.
@Suite struct `HPACK as its RFC shows it` {
    struct Example: Sendable, CustomTestStringConvertible {
        var name: String
        var tableSize = 4096
        var steps: [Step]
        var testDescription: String { self.name }

        struct Step: Sendable {
            var block: String
            var fields: [String]
            var size: Int
        }
    }

    private static let first = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"]
    private static let second = Self.first + ["cache-control: no-cache"]
    private static let third = [
        ":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com",
        "custom-key: custom-value",
    ]
    private static func response(_ status: Int, second: Int) -> [String] {
        [
            ":status: \(status)", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:\(second) GMT",
            "location: https://www.example.com",
        ]
    }
    private static let last =
        Self.response(200, second: 22) + [
            "content-encoding: gzip", "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        ]

    static let examples = [
        Example(
            name: "C.2.1",
            steps: [
                .init(
                    block: "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
                    fields: ["custom-key: custom-header"], size: 55)
            ]),
        Example(
            name: "C.2.2",
            steps: [.init(block: "040c2f73616d706c652f70617468", fields: [":path: /sample/path"], size: 0)]),
        Example(
            name: "C.2.3",
            steps: [.init(block: "100870617373776f726406736563726574", fields: ["password: secret"], size: 0)]),
        Example(name: "C.2.4", steps: [.init(block: "82", fields: [":method: GET"], size: 0)]),
        Example(
            name: "C.3",
            steps: [
                .init(block: "828684410f7777772e6578616d706c652e636f6d", fields: Self.first, size: 57),
                .init(block: "828684be58086e6f2d6361636865", fields: Self.second, size: 110),
                .init(
                    block: "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565", fields: Self.third, size: 164),
            ]),
        Example(
            name: "C.4",
            steps: [
                .init(block: "828684418cf1e3c2e5f23a6ba0ab90f4ff", fields: Self.first, size: 57),
                .init(block: "828684be5886a8eb10649cbf", fields: Self.second, size: 110),
                .init(block: "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", fields: Self.third, size: 164),
            ]),
        Example(
            name: "C.5", tableSize: 256,
            steps: [
                .init(
                    block: "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54"
                        + "6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
                    fields: Self.response(302, second: 21), size: 222),
                .init(block: "4803333037c1c0bf", fields: Self.response(307, second: 21), size: 222),
                .init(
                    block: "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a6970"
                        + "7738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b"
                        + "2076657273696f6e3d31",
                    fields: Self.last, size: 215),
            ]),
        Example(
            name: "C.6", tableSize: 256,
            steps: [
                .init(
                    block: "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff"
                        + "6e919d29ad171863c78f0b97c8e9ae82ae43d3",
                    fields: Self.response(302, second: 21), size: 222),
                .init(block: "4883640effc1c0bf", fields: Self.response(307, second: 21), size: 222),
                .init(
                    block: "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab"
                        + "77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
                    fields: Self.last, size: 215),
            ]),
    ]

    @Test(arguments: Self.examples)
    func `decodes the example`(example: Example) throws {
        var decoder = HPACKDecoder(tableSize: example.tableSize)
        for step in example.steps {
            #expect(try decoder.fields(hex: step.block) == step.fields)
            #expect(decoder.tableSize == step.size)
        }
    }

    @Test(arguments: [(10, 5, "0a"), (1337, 5, "1f9a0a"), (42, 8, "2a")])
    func `writes and reads integers`(value: Int, prefix: Int, hex: String) {
        var out = ScratchBytes()
        HPACKInteger.write(value, prefix: prefix, pattern: 0, into: &out)
        #expect(Array(out.bytes) == Array(hex: hex))
        var position = 0
        #expect(HPACKInteger.read(out.bytes, &position, prefix: prefix) == value)
        #expect(position == out.count)
    }

    /// The encoder puts fields into its table the second time, so that its blocks differ from the RFC's; its decoder
    /// must not.
    @Test(arguments: [false, true])
    func `sends repeated fields as one byte`(usesHuffman: Bool) throws {
        var writer = HTTP2HeadWriter(encoder: HPACKEncoder(tableLimit: 4096, usesHuffman: usesHuffman))
        var decoder = HPACKDecoder(tableSize: 4096)
        let head = "HTTP/1.1 302 Found\r\nCache-Control: private\r\nLocation: https://www.example.com\r\n\r\n"
        var sizes: [Int] = []
        for _ in 0..<3 {
            let bytes = Array(head.utf8)
            #expect(bytes.withUnsafeBytes { writer.response($0, opensTunnel: false)?.status } == 302)
            let block = Array(writer.encoder.block.bytes)
            sizes.append(block.count)
            #expect(
                try decoder.fields(block)
                    == [":status: 302", "cache-control: private", "location: https://www.example.com"])
        }
        #expect(sizes[2] == 3)
        #expect(writer.encoder.tableSize == decoder.tableSize)
    }
}

extension HPACKDecoder {
    /// Decodes a whole block into lines.
    mutating func fields(_ block: [UInt8]) throws(HPACKError) -> [String] {
        var lines: [String] = []
        let error = block.withUnsafeBytes { bytes -> HPACKError? in
            var position = 0
            self.begin()
            do throws(HPACKError) {
                while let field = try self.next(bytes, &position) {
                    let name = UnsafeRawBufferPointer(start: field.name, count: field.nameLength)
                    let value = UnsafeRawBufferPointer(start: field.value, count: field.valueLength)
                    let line = String(decoding: name, as: UTF8.self) + ": " + String(decoding: value, as: UTF8.self)
                    lines.append(line)
                    guard field.isLine else { continue }
                    let text = UnsafeRawBufferPointer(
                        start: field.name, count: field.nameLength + field.valueLength + 4)
                    if String(decoding: text, as: UTF8.self) != line + "\r\n" { lines.append("no line") }
                }
                return nil
            } catch {
                return error
            }
        }
        if let error { throw error }
        return lines
    }

    mutating func fields(hex: String) throws(HPACKError) -> [String] { try self.fields(Array(hex: hex)) }
}

extension Array where Element == UInt8 {
    init(hex: String) {
        let digits = hex.utf8.compactMap { ByteClass.hexValue($0) }
        self = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
