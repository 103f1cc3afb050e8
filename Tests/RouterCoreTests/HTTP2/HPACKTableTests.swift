import Testing

@testable import RouterCore

@Suite struct `HPACK at its edges` {
    // MARK: Huffman

    private func coded(_ bytes: [UInt8]) -> [UInt8] {
        let huffman = HPACKHuffman.shared
        return bytes.withUnsafeBytes { input in
            guard let base = input.baseAddress else { return [] }
            let count = huffman.encodedLength(base, input.count)
            return [UInt8](unsafeUninitializedCapacity: count) { output, written in
                if let target = output.baseAddress { huffman.encode(base, input.count, into: target) }
                written = count
            }
        }
    }

    private func decoded(_ bytes: [UInt8]) -> [UInt8]? {
        var out = ScratchBytes()
        out.reserve(HPACKHuffman.decodedLimit(bytes.count))
        let count = bytes.withUnsafeBytes { input -> Int? in
            guard let base = input.baseAddress else { return 0 }
            return HPACKHuffman.shared.decode(base, input.count, into: out.base)
        }
        guard let count else { return nil }
        out.count = count
        return Array(out.bytes)
    }

    @Test func `every byte survives the Huffman code, alone and among others`() {
        for byte in UInt8.min...UInt8.max {
            #expect(self.decoded(self.coded([byte])) == [byte])
            #expect(self.decoded(self.coded([byte, byte, 0x61, byte])) == [byte, byte, 0x61, byte])
        }
        #expect(self.decoded([]) == [])
    }

    @Test func `any bytes survive the Huffman code`() {
        var random = LoopRandom(seed: 7)
        for length in 0..<200 {
            let bytes = (0..<length).map { _ in
                random.next() % 3 == 0
                    ? UInt8(truncatingIfNeeded: random.next()) : UInt8(0x61 + random.next() % 26)
            }
            #expect(self.decoded(self.coded(bytes)) == bytes)
        }
    }

    @Test(arguments: [
        "ff",  // eight bits of padding alone
        "1c",  // "a", then padding of zeros
        "1fff",  // "a", then more than seven bits of padding
        "3fffffff", "fffffffc", "ffffffff",  // the end of the string
        "f1e3c2e5f23a6ba0ab90f4ffffffffff",  // an example, then the end of the string
        "fff8",  // a long word that is cut off
    ])
    func `invalid Huffman codes are refused`(hex: String) {
        #expect(self.decoded(Array(hex: hex)) == nil)
    }

    @Test func `any bytes decode to something or to nothing, and never to too much`() {
        var random = LoopRandom(seed: 11)
        for _ in 0..<2000 {
            let bytes = (0..<Int(random.next() % 40)).map { _ in
                random.next() % 4 == 0 ? 0xFF : UInt8(truncatingIfNeeded: random.next())
            }
            guard let text = self.decoded(bytes) else { continue }
            #expect(text.count <= HPACKHuffman.decodedLimit(bytes.count))
            #expect(self.coded(text) == bytes)
        }
    }

    // MARK: Blocks that cannot be decoded

    @Test(arguments: [
        ("80", HPACKError.index), ("be", .index), ("ff8080808080", .integer), ("ffffffffff7f", .integer),
        ("ff", .integer), ("40", .truncated), ("4003616263", .truncated), ("400561", .truncated),
        ("00017a7f", .integer), ("7f", .integer), ("7f00", .index), ("823f00", .sizeUpdate),
        ("3fe21f", .sizeUpdate), ("4081ff0161", .huffman),
    ])
    func `a malformed block is refused`(hex: String, error: HPACKError) {
        var decoder = HPACKDecoder(tableSize: 4096)
        #expect(throws: error) { _ = try decoder.fields(hex: hex) }
    }

    @Test func `random blocks break nothing`() {
        var random = LoopRandom(seed: 3)
        for _ in 0..<3000 {
            var decoder = HPACKDecoder(tableSize: 256)
            for _ in 0..<4 {
                let block = (0..<Int(random.next() % 30)).map { _ in
                    random.next() % 2 == 0 ? UInt8(random.next() % 8) | 0x40 : UInt8(truncatingIfNeeded: random.next())
                }
                _ = try? decoder.fields(block)
                #expect(decoder.tableSize <= 256)
            }
        }
    }

    // MARK: The dynamic table

    /// A field that is indexed, as a literal.
    private func indexed(_ name: String, _ value: String) -> [UInt8] {
        [0x40] + Wire.string(name) + Wire.string(value)
    }

    @Test func `old fields make room for new ones`() throws {
        var decoder = HPACKDecoder(tableSize: 100)
        _ = try decoder.fields(self.indexed("a", "1") + self.indexed("b", "2"))
        #expect(decoder.tableCount == 2)
        #expect(try decoder.fields([0xBE, 0xBF]) == ["b: 2", "a: 1"])
        _ = try decoder.fields(self.indexed("c", "3"))
        #expect(try decoder.fields([0xBE, 0xBF]) == ["c: 3", "b: 2"])
        #expect(throws: HPACKError.index) { _ = try decoder.fields([0xC0]) }
    }

    @Test func `a field larger than the table empties it`() throws {
        var decoder = HPACKDecoder(tableSize: 100)
        _ = try decoder.fields(self.indexed("a", "1"))
        #expect(try decoder.fields(self.indexed("b", String(repeating: "x", count: 80))).count == 1)
        #expect(decoder.tableCount == 0)
        #expect(decoder.tableSize == 0)
    }

    @Test func `a name can come from the field that its own entry pushes out`() throws {
        var decoder = HPACKDecoder(tableSize: 60)
        _ = try decoder.fields(self.indexed("some-long-name", "first"))
        // The name of entry 62, with a value that leaves no room for entry 62 itself.
        let fields = try decoder.fields([0x7E] + Wire.string("second"))
        #expect(fields == ["some-long-name: second"])
        #expect(try decoder.fields([0xBE]) == ["some-long-name: second"])
    }

    @Test func `size updates evict, and come first`() throws {
        var decoder = HPACKDecoder(tableSize: 4096)
        _ = try decoder.fields(self.indexed("a", "1") + self.indexed("b", "2"))
        #expect(try decoder.fields([0x3F, 0x0F, 0xBE]) == ["b: 2"])
        #expect(decoder.tableCount == 1)
        // To nothing, and back: what peers do who want to forget everything.
        #expect(try decoder.fields([0x20, 0x3F, 0xE1, 0x1F, 0x82]) == [":method: GET"])
        #expect(decoder.tableCount == 0)
    }

    @Test func `after the limit was lowered, a block must say so first`() throws {
        var decoder = HPACKDecoder(tableSize: 4096)
        decoder.allow(tableSize: 100)
        #expect(throws: HPACKError.sizeUpdate) { _ = try decoder.fields([0x82]) }
        #expect(try decoder.fields([0x3F, 0x45, 0x82]) == [":method: GET"])
        #expect(try decoder.fields([0x82]) == [":method: GET"])
    }

    @Test func `the table stays right over thousands of fields of all sizes`() throws {
        var decoder = HPACKDecoder(tableSize: 1000)
        var model: [(String, String)] = []
        var random = LoopRandom(seed: 5)
        for round in 0..<4000 {
            if !model.isEmpty, random.next() % 3 == 0 {
                // A name from the table, whose entry may have to go, and whose text may have to move.
                let index = Int(random.next() % UInt64(model.count))
                let name = model[index].0
                let value = String(repeating: "w", count: Int(random.next() % 120))
                let block = Wire.integer(62 + index, prefix: 6, pattern: 0x40) + Wire.string(value)
                #expect(try decoder.fields(block) == ["\(name): \(value)"])
                #expect(try decoder.fields([0xBE]) == ["\(name): \(value)"])
                model.insert((name, value), at: 0)
                while model.reduce(0, { $0 + $1.0.count + $1.1.count + 32 }) > 1000 { model.removeLast() }
            } else if !model.isEmpty, random.next() % 2 == 0 {
                let index = Int(random.next() % UInt64(model.count))
                let expected = "\(model[index].0): \(model[index].1)"
                #expect(try decoder.fields(Wire.integer(62 + index, prefix: 7, pattern: 0x80)) == [expected])
            } else {
                let name = "n\(round)"
                let value = String(repeating: "v", count: Int(random.next() % 120))
                #expect(try decoder.fields(self.indexed(name, value)) == ["\(name): \(value)"])
                model.insert((name, value), at: 0)
                while model.reduce(0, { $0 + $1.0.count + $1.1.count + 32 }) > 1000 { model.removeLast() }
                #expect(decoder.tableCount == model.count)
            }
        }
    }

    // MARK: The encoder

    private func encode(_ head: String, _ writer: inout HTTP2HeadWriter) -> [UInt8]? {
        let bytes = Array(head.utf8)
        guard bytes.withUnsafeBytes({ writer.response($0, opensTunnel: false) }) != nil else { return nil }
        return Array(writer.encoder.block.bytes)
    }

    @Test func `credentials are never indexed, and what changes every time is not`() throws {
        var writer = HTTP2HeadWriter(encoder: HPACKEncoder(tableLimit: 4096, usesHuffman: false))
        let head =
            "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nDate: now\r\nContent-Length: 0\r\nX-Request-ID: 1\r\n"
            + "Authorization: x\r\n\r\n"
        for _ in 0..<3 {
            let block = try #require(self.encode(head, &writer))
            let expected: [[UInt8]] = [
                [0x88], [0x1F, 0x28] + Wire.string("a=b"), [0x0F, 0x12] + Wire.string("now"),
                [0x0F, 0x0D] + Wire.string("0"), [0x00] + Wire.string("x-request-id") + Wire.string("1"),
                [0x1F, 0x08] + Wire.string("x"),
            ]
            #expect(block == expected.flatMap { $0 })
        }
        #expect(writer.encoder.tableSize == 0)
    }

    @Test func `a request's lines are all found again, and its host only as the authority`() throws {
        var writer = HTTP2HeadWriter(encoder: HPACKEncoder(tableLimit: 4096, usesHuffman: false))
        var decoder = HPACKDecoder(tableSize: 4096)
        let text = Array("GET /a HTTP/1.1\r\nHx: 1\r\nHead: 2\r\nHost: a\r\nhost-x: 3\r\n\r\n".utf8)
        var sizes: [Int] = []
        for _ in 0..<4 {
            #expect(text.withUnsafeBytes { writer.request($0, isSecure: true) } != nil)
            let block = Array(writer.encoder.block.bytes)
            sizes.append(block.count)
            #expect(
                try decoder.fields(block) == [
                    ":method: GET", ":scheme: https", ":path: /a", ":authority: a", "hx: 1", "head: 2", "host-x: 3",
                ])
        }
        #expect(sizes.suffix(2) == [7, 7])
        #expect(decoder.tableCount == 5)
    }

    @Test func `the peer's table size is kept to, and told`() throws {
        var writer = HTTP2HeadWriter(encoder: HPACKEncoder(tableLimit: 4096, usesHuffman: false))
        let head = "HTTP/1.1 200 OK\r\nServer: this\r\n\r\n"
        for _ in 0..<2 { _ = self.encode(head, &writer) }
        #expect(try #require(self.encode(head, &writer)) == [0x88, 0xBE])
        writer.encoder.allow(tableSize: 0)
        #expect(try #require(self.encode(head, &writer)).starts(with: [0x20, 0x88]))
        #expect(writer.encoder.tableSize == 0)
        writer.encoder.allow(tableSize: 100)
        #expect(try #require(self.encode(head, &writer)).starts(with: [0x3F, 0x45, 0x88]))
        // Down and up between two blocks: both are told.
        writer.encoder.allow(tableSize: 10)
        writer.encoder.allow(tableSize: 1_000_000)
        #expect(try #require(self.encode(head, &writer)).starts(with: [0x2A, 0x3F, 0xE1, 0x1F, 0x88]))
    }

    @Test func `a head that turns out to be malformed leaves the peers' tables in step`() throws {
        var writer = HTTP2HeadWriter(encoder: HPACKEncoder(tableLimit: 4096, usesHuffman: false))
        var decoder = HPACKDecoder(tableSize: 4096)
        let good = "HTTP/1.1 200 OK\r\nServer: this\r\nVia: that\r\n\r\n"
        for _ in 0..<3 { _ = try decoder.fields(try #require(self.encode(good, &writer))) }
        let other = "HTTP/1.1 200 OK\r\nVary: x\r\n\r\n"
        _ = try decoder.fields(try #require(self.encode(other, &writer)))
        // "Vary: x" goes into the table here, and the block is thrown away.
        #expect(self.encode("HTTP/1.1 200 OK\r\nVary: x\r\nbad name: x\r\n\r\n", &writer) == nil)
        for _ in 0..<3 {
            #expect(
                try decoder.fields(try #require(self.encode(good, &writer)))
                    == [":status: 200", "server: this", "via: that"])
            #expect(try decoder.fields(try #require(self.encode(other, &writer))) == [":status: 200", "vary: x"])
        }
        #expect(decoder.tableSize == writer.encoder.tableSize)
    }
}
