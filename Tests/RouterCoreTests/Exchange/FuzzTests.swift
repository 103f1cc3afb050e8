import Testing

@testable import RouterCore

/// Requests that were damaged at random: nothing crashes, and what is passed on has one meaning only.
@Suite struct `Damaged requests` {
    static let seeds = [
        "GET /path?q=1 HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\nCookie: a=b\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nX-A: b\r\n\r\nhello world",
        "POST /b HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: u\r\n\r\n",
        "GET http://a/x HTTP/1.1\r\nHost: a\r\nConnection: close, X-Y\r\nX-Y: 1\r\n\r\n",
        "PUT /c HTTP/1.1\r\nHost: c\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /w HTTP/1.1\r\nHost: w\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ]
    static let fragments = [
        "\r\n", "\n", "\r", " ", "\t", "\0", ":", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding : chunked\r\n", "Host: evil\r\n", "Connection: close\r\n", "0\r\n\r\n", ";", "\u{FF}",
        "\r\n\r\n", "GET / HTTP/1.1\r\n", "HTTP/1.0", "Content_Length: 3\r\n", ", chunked", "chunked",
    ]

    @Test(arguments: 0..<16)
    func `never pass on what could be read in two ways`(round: Int) {
        var random = LoopRandom(seed: UInt64(round) &* 7919 &+ 17)
        for _ in 0..<150 {
            let input = self.mutate(&random)
            let whole = self.run(input, pieceSize: .max)
            let pieces = self.run(input, pieceSize: 1 + Int(random.next() % 9))
            let isSame = whole.isSame(as: pieces)
            #expect(isSame, "\(String(decoding: input, as: UTF8.self).debugDescription)")
            for request in whole.requests { self.check(request, input) }
        }
    }

    private struct Outcome {
        var requests: [[UInt8]]
        var statuses: [Int]

        /// The same answers, and the same bytes passed on; but of a request that turned out to be malformed in its
        /// body, more or less of the good part may have left before that was known.
        func isSame(as other: Outcome) -> Bool {
            guard self.statuses == other.statuses else { return false }
            if !self.statuses.contains(400) { return self.requests == other.requests }
            let (shorter, longer) =
                self.requests.count < other.requests.count
                ? (self.requests, other.requests) : (other.requests, self.requests)
            return longer.count - shorter.count <= 1
                && zip(shorter, longer).allSatisfy { $0.starts(with: $1) || $1.starts(with: $0) }
        }
    }

    private func run(_ input: [UInt8], pieceSize: Int) -> Outcome {
        let harness = ExchangeHarness(pieceSize: pieceSize)
        harness.client(input)
        // As long as a request is complete and waits, it is answered and the next one comes.
        for _ in 0..<8 where harness.waiting == .firstByte {
            harness.upstream("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        harness.clientEnds()
        return Outcome(requests: harness.toUpstream, statuses: harness.received.statuses)
    }

    private func mutate(_ random: inout LoopRandom) -> [UInt8] {
        var bytes = Array(Self.seeds[Int(random.next() % UInt64(Self.seeds.count))].utf8)
        for _ in 0..<(1 + random.next() % 4) {
            let position = Int(random.next() % UInt64(bytes.count))
            switch random.next() % 6 {
            case 0: bytes[position] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes.remove(at: position)
            case 2:
                let fragment = Self.fragments[Int(random.next() % UInt64(Self.fragments.count))]
                bytes.insert(contentsOf: fragment.utf8, at: position)
            case 3: bytes.insert(bytes[position], at: position)
            case 4: bytes[position] ^= 0x20
            default:
                // A whole line twice, or elsewhere.
                let lines = bytes.split(separator: 10, omittingEmptySubsequences: false).map { Array($0) + [10] }
                let line = lines[Int(random.next() % UInt64(lines.count))]
                bytes.insert(contentsOf: line, at: position)
            }
            if bytes.isEmpty { bytes = [13] }
        }
        return bytes
    }

    /// Reads what an instance got with a reader that shares no code with the router, and accepts only the obvious.
    private func check(_ request: [UInt8], _ input: [UInt8]) {
        let description: Comment = "\(String(decoding: input, as: UTF8.self).debugDescription)"
        guard let end = request.indices.first(where: { request[$0...].starts(with: [13, 10, 13, 10]) }) else {
            Issue.record("a head without an end: \(description)")
            return
        }
        let lines = request[..<end].map { Unicode.Scalar($0) }
            .split(separator: "\n", omittingEmptySubsequences: false)
            .map { line in
                var text = String.UnicodeScalarView()
                text.append(contentsOf: line)
                return String(text)
            }
        #expect(lines.dropLast().allSatisfy { $0.unicodeScalars.last == "\r" }, description)
        let bare: [String] = lines.map { $0.unicodeScalars.last == "\r" ? String($0.unicodeScalars.dropLast()) : $0 }
        #expect(bare.allSatisfy { !$0.unicodeScalars.contains("\r") && !$0.unicodeScalars.contains("\0") }, description)
        #expect(bare[0].split(separator: " ", omittingEmptySubsequences: false).count == 3, description)
        let names = bare.dropFirst().map { String($0.prefix { $0 != ":" }).lowercased() }
        #expect(names.allSatisfy { !$0.isEmpty && !$0.contains(" ") && !$0.contains("\t") }, description)
        #expect(names.filter { $0 == "host" }.count == 1, description)
        let lengths = names.filter { $0 == "content-length" }.count
        let codings = names.filter { $0 == "transfer-encoding" }.count
        #expect(lengths + codings <= 1, description)
        let body = request[(end + 4)...]
        if codings == 1 {
            #expect(self.isPrefixOfChunks(Array(body)), description)
        } else if lengths == 1 {
            let field = bare.dropFirst().first { $0.lowercased().hasPrefix("content-length:") } ?? ""
            let value = String(field.dropFirst(15).filter { $0 != " " && $0 != "\t" })
            #expect(Int(value).map { body.count <= $0 } == true, description)
        } else {
            #expect(body.isEmpty, description)
        }
    }

    /// Whether the bytes are the start of exactly one body in the chunked coding.
    private func isPrefixOfChunks(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let lineEnd = rest.firstIndex(of: 13) else { return rest.count < 16 }
            guard let size = Int(String(decoding: rest[..<lineEnd], as: UTF8.self), radix: 16) else { return false }
            rest = rest[lineEnd...].dropFirst(2)
            if size == 0 {
                return self.isPrefixOfTrailers(Array(rest))
            }
            if rest.count <= size { return true }
            rest = rest.dropFirst(size)
            guard rest.starts(with: [13, 10]) || rest.elementsEqual([13]) else { return false }
            rest = rest.dropFirst(2)
        }
        return true
    }

    /// Trailer lines, an empty line, then nothing.
    private func isPrefixOfTrailers(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while let lineEnd = rest.firstIndex(of: 10) {
            let isEmpty = rest[...lineEnd].elementsEqual([13, 10])
            rest = rest[(lineEnd + 1)...]
            if isEmpty { return rest.isEmpty }
        }
        return true
    }

    @Test(arguments: 0..<8)
    func `and damaged responses break nothing`(round: Int) {
        var random = LoopRandom(seed: UInt64(round) &+ 99)
        let seeds = [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nA: b\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 404 Not Found\r\n\r\nabc",
        ]
        for _ in 0..<150 {
            var bytes = Array(seeds[Int(random.next() % UInt64(seeds.count))].utf8)
            for _ in 0..<(1 + random.next() % 3) {
                let position = Int(random.next() % UInt64(bytes.count))
                if random.next() % 2 == 0 {
                    bytes[position] = UInt8(truncatingIfNeeded: random.next())
                } else {
                    let fragment = Self.fragments[Int(random.next() % UInt64(Self.fragments.count))]
                    bytes.insert(contentsOf: fragment.utf8, at: position)
                }
            }
            var results: [[String]] = []
            for pieceSize in [1, Int.max] {
                let harness = ExchangeHarness(pieceSize: pieceSize)
                harness.client("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
                harness.upstream(bytes)
                harness.upstreamEnds()
                #expect(harness.endings.count == 1, "\(String(decoding: bytes, as: UTF8.self).debugDescription)")
                let code = harness.endings.first?.code?.rawValue ?? "-"
                // What had left before a response turned out to be malformed depends on its pieces.
                let text = code == "-" ? harness.received : ""
                results.append([harness.endings.first?.status.description ?? "", code, text])
            }
            let isSame = results[0] == results[1]
            #expect(isSame, "\(String(decoding: bytes, as: UTF8.self).debugDescription) \(results)")
        }
    }
}
