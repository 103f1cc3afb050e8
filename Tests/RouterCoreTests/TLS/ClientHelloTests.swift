import Testing

@testable import RouterCore

/// The reader of the first message, without a connection.
@Suite struct `A client's first message` {
    private func read(_ bytes: [UInt8], pieceSize: Int = .max) -> ClientHelloReader.Progress {
        var reader = ClientHelloReader()
        var end = 0
        var progress = ClientHelloReader.Progress.needsMore
        while end < bytes.count, progress == .needsMore {
            end = pieceSize == .max ? bytes.count : min(bytes.count, end + pieceSize)
            progress = bytes[..<end].withUnsafeBytes { reader.read($0) }
        }
        return progress
    }

    private func hello(_ builder: HelloBuilder) -> ClientHello? {
        guard case .complete(let hello) = self.read(builder.records()) else { return nil }
        return hello
    }

    @Test(arguments: [
        (["shop.example.com"], "shop.example.com"), (["SHOP.Example.com"], "shop.example.com"),
        (["shop.example.com."], "shop.example.com"), ([], nil), (["*.example.com"], nil), (["a b"], nil),
        (["[::1]"], nil), ([".example.com"], nil), (["a..b"], nil), (["a.example", "b.example"], "a.example"),
        ([String(repeating: "a", count: 64)], nil), (["xn--bcher-kva.example"], "xn--bcher-kva.example"),
    ])
    func `tells the host it wants`(names: [String], expected: String?) throws {
        let hello = try #require(self.hello(HelloBuilder(names: names)))
        #expect(hello.host?.text == expected)
    }

    @Test(arguments: [
        (["h2", "http/1.1"], true, true, false), (["http/1.1"], false, true, false), (["http/1.0"], false, true, false),
        (["acme-tls/1"], false, false, true), (["acme-tls/1", "h2"], true, false, false),
        (["smtp"], false, false, false),
    ])
    func `tells the protocols it speaks`(offered: [String], http2: Bool, http1: Bool, isChallenge: Bool) throws {
        let hello = try #require(self.hello(HelloBuilder(names: ["a"], protocols: offered)))
        #expect(hello.offersProtocols)
        #expect(hello.offersHTTP2 == http2)
        #expect(hello.offersHTTP1 == http1)
        #expect(hello.isChallenge == isChallenge)
    }

    @Test func `may have no extensions`() throws {
        let hello = try #require(self.hello(HelloBuilder(hasExtensions: false)))
        #expect(hello.host == nil && !hello.offersProtocols)
    }

    @Test(arguments: [1, 2, 5, 7, 100, 1_000])
    func `may come in any pieces and records`(size: Int) {
        let builder = HelloBuilder(names: ["shop.example.com"], protocols: ["h2"], padding: 1_500)
        let whole = self.read(builder.records())
        #expect(self.read(builder.records(), pieceSize: size) == whole)
        #expect(self.read(builder.records(of: size)) == whole)
        #expect(self.read(builder.records(of: size), pieceSize: 3) == whole)
    }

    @Test(arguments: ["GET / HTTP/1.1\r\n", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "OPTIONS"])
    func `is known to be plain HTTP by its first byte`(text: String) {
        #expect(self.read(Array(text.utf8)) == .plainHTTP)
    }

    @Test(
        arguments: [
            ([0x80, 0x2E, 1, 0, 2], .notTLS), ([22, 2, 0], .notTLS), ([22], .needsMore), ([22, 3, 1, 0], .needsMore),
            ([22, 3, 1, 0, 0], .refused(.decodeError)), ([22, 3, 1, 0xFF, 0xFF], .refused(.decodeError)),
            ([22, 3, 1, 0, 1, 2], .refused(.unexpectedMessage)),
            ([22, 3, 1, 0, 1, 1, 23], .refused(.unexpectedMessage)),
            ([22, 3, 1, 0, 1, 1, 22, 9], .refused(.protocolVersion)), ([0], .notTLS), (Array("get".utf8), .notTLS),
        ] as [([UInt8], ClientHelloReader.Progress)])
    func `is refused as soon as it is wrong`(bytes: [UInt8], expected: ClientHelloReader.Progress) {
        #expect(self.read(bytes) == expected)
    }

    @Test func `has a longest length`() {
        #expect(self.read(HelloBuilder(padding: 16_500).records()) == .refused(.decodeError))
        // It is known from the length it announces, and from what it sends if that is all headers.
        #expect(self.read([22, 3, 1, 0, 4, 1, 1, 0, 0]) == .refused(.decodeError))
        let headers = (0..<4_000).flatMap { _ -> [UInt8] in [22, 3, 1, 0, 1, 0] }
        #expect(self.read(headers) == .refused(.unexpectedMessage))
        let slow: [UInt8] =
            [22, 3, 1, 0, 4, 1, 0, 0x3F, 0] + (0..<4_000).flatMap { _ -> [UInt8] in [22, 3, 1, 0, 1, 0] }
        #expect(self.read(slow) == .refused(.decodeError))
        #expect(self.read(slow, pieceSize: 11) == .refused(.decodeError))
    }

    @Test(arguments: 0..<16)
    func `never reads outside its bounds, and the same however it is cut`(round: Int) {
        var random = LoopRandom(seed: UInt64(round) &* 104_729 &+ 3)
        for _ in 0..<300 {
            var bytes = HelloBuilder(
                names: ["shop.example.com"], protocols: ["h2", "http/1.1"], padding: Int(random.next() % 40)
            ).records(of: 1 + Int(random.next() % 200))
            for _ in 0..<(1 + random.next() % 4) {
                let position = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 3 {
                case 0: bytes[position] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.removeSubrange(position..<min(bytes.count, position + Int(random.next() % 8)))
                default: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: position)
                }
                if bytes.isEmpty { bytes = [22] }
            }
            let whole = self.read(bytes)
            #expect(self.read(bytes, pieceSize: 1 + Int(random.next() % 9)) == whole, "\(bytes)")
        }
    }
}
