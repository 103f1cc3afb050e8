import Foundation
import Testing

@testable import RouterCore

/// Whatever clients send: where the router passes on one request, servers of other makes see that one request, with the
/// same body, and nothing behind it.
@Suite(.timeLimit(.minutes(10)), .enabled(if: Program.has("node"), "Node.js is not installed"))
struct `Servers of other makes` {
    /// `SLIPWAY_DIFFERENTIAL=100000` tries more.
    private static var count: Int {
        Int(ProcessInfo.processInfo.environment["SLIPWAY_DIFFERENTIAL"] ?? "") ?? 4_000
    }

    /// A request that was passed on, as its bytes and as what they mean.
    private struct Forwarded {
        var input: [UInt8]
        var bytes: [UInt8]
        var meaning: OtherReading.Request
    }

    @Test func `see what the router passes on as it meant it`() async throws {
        let seeds = try CaseLibrary.all().map { $0.client.flatMap(\.bytes) }.filter { !$0.isEmpty && $0.count < 3_000 }
        var parsers = [OtherParser.node, .python]
        if await OtherParser.pythonHas("h11") { parsers.append(.h11) }
        var random = LoopRandom(seed: 42)
        var left = Self.count
        var passed = 0
        var refusals: [String: Int] = [:]
        while left > 0 {
            // In batches, as large as what a program may answer allows.
            let inputs = (0..<min(left, 1_000)).map { number in
                if left == Self.count, number < seeds.count { return seeds[number] }
                // Most cases are there to be refused: as often one that is not.
                let sound = `Damaged requests`.seeds.map { Array($0.utf8) }
                let choices = random.next().isMultiple(of: 2) ? seeds : sound
                return Mutation.apply(to: choices[Int(random.next() % UInt64(choices.count))], &random)
            }
            left -= inputs.count
            let forwarded = try inputs.flatMap { try Self.forward($0) }
            passed += forwarded.count
            for parser in parsers {
                let readings = try await parser.read(forwarded.map(\.bytes))
                try #require(readings.count == forwarded.count, "\(parser)")
                for (reading, request) in zip(readings, forwarded) {
                    // To be stricter than the router harms nobody.
                    if reading.refused, reading.requests.isEmpty {
                        refusals[parser.description, default: 0] += 1
                        continue
                    }
                    let isSame = !reading.refused && reading.requests == [request.meaning]
                    #expect(
                        isSame,
                        """
                        \(parser) sees \(reading) instead of \(request.meaning)
                        sent \(CaseText.readable(request.input))
                        passed on \(CaseText.readable(request.bytes))
                        """)
                }
            }
        }
        print("\(passed) of \(Self.count) inputs' requests passed on; refused by \(refusals)")
        #expect(passed > Self.count / 10)
        for (parser, count) in refusals { #expect(count < passed / 5, "\(parser) refuses too many: \(count)") }
    }

    /// The requests of a client's bytes that instances get whole.
    private static func forward(_ input: [UInt8]) throws -> [Forwarded] {
        let harness = ExchangeHarness()
        harness.client(input)
        var whole = 0
        for _ in 0..<8 where harness.waiting == .firstByte {
            whole += 1
            harness.upstream("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        // Each went to a connection of its own; the last one may not have been whole.
        return try harness.toUpstream.prefix(whole).map {
            Forwarded(input: input, bytes: $0, meaning: try self.meaning($0))
        }
    }

    /// The request as the bytes have it, read by the simplest of all readers.
    private static func meaning(_ bytes: [UInt8]) throws -> OtherReading.Request {
        let end = try #require(bytes.firstRange(of: Array("\r\n\r\n".utf8)))
        let head = CaseText.latin1(bytes[..<end.lowerBound])
        let words = head.components(separatedBy: "\r\n")[0].components(separatedBy: " ")
        try #require(words.count == 3, "\(head)")
        var rest = bytes[end.upperBound...]
        var body: [UInt8] = []
        if head.lowercased().contains("\r\ntransfer-encoding:") {
            while let line = rest.firstRange(of: [13, 10]) {
                let size = try #require(
                    Int(String(decoding: rest[rest.startIndex..<line.lowerBound], as: UTF8.self), radix: 16))
                if size == 0 { break }
                body += rest[line.upperBound..<(line.upperBound + size)]
                rest = rest[(line.upperBound + size + 2)...]
            }
        } else {
            body = Array(rest)
        }
        return OtherReading.Request(method: words[0], target: words[1], body: Data(body).base64EncodedString())
    }
}

extension ScriptStep {
    /// What the client sends in this step.
    fileprivate var bytes: [UInt8] {
        if case .send(let bytes) = self { bytes } else { [] }
    }
}
