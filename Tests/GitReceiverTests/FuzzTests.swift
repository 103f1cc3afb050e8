import SystemPackage
import TestSupport
import Testing

@testable import GitReceiver

/// Noise and damaged requests: nothing crashes, nothing is accepted that should not be, nothing remains.
@Suite(.timeLimit(.minutes(2)))
struct `Noise` {
    @Test(arguments: 0..<4 as Range<UInt64>)
    func `does not break the parsers`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let words = [
            "0000", "0001", "0002", "0032want ", "0032have ", "0009done\n", "\(ObjectID.zero)", " refs/heads/main",
            "\0report-status push-options", "0014command=fetch", "PACK", "shallow ", "\n", "ffff", "0004",
        ].map { Array($0.utf8) }
        for _ in 0..<2000 {
            var bytes: [UInt8] = []
            for _ in 0..<random.below(12) {
                if random.below(4) == 0 {
                    bytes.append(UInt8(random.below(256)))
                } else {
                    bytes += words[random.below(words.count)]
                }
            }
            var reader = PktLineReader()
            reader.append(bytes)
            var packets: [Packet] = []
            while let packet = try? reader.next() { packets.append(packet) }
            var parser = ReceiveRequestParser()
            for packet in packets where !parser.isFinished { try? parser.consume(packet) }
            _ = try? FetchRequest(version0: packets)
            _ = try? CommandRequest(packets)
            bytes.withUnsafeBytes { raw in
                var tree = TreeReader(raw, tree: .zero)
                var order = TreeOrder()
                while let entry = try? tree.next() { _ = order.accepts(entry.name, isDirectory: false) }
                var header = ObjectHeader(raw)
                _ = header.oid("tree")
            }
        }
    }

    @Test(arguments: 0..<6 as Range<UInt64>)
    func `in a push leaves the repository sound`(seed: UInt64) async throws {
        try await withFixture { fixture in
            var random = SeededRandom(seed: seed)
            let client = RawClient(server: fixture.server)
            for round in 0..<25 {
                var writer = PackWriter()
                let blob = writer.add(.blob, (0..<random.below(200)).map { _ in UInt8(random.below(256)) })
                let tree = writer.tree([("100644", Array("f".utf8), blob)])
                let commit = writer.commit(tree)
                var body = PktLine.encode(
                    "\(ObjectID.zero) \(PackWriter.hex(commit)) refs/heads/b\(round)\0report-status side-band-64k")
                body += PktLine.flush + writer.finished()
                for _ in 0..<random.below(4) { body[random.below(body.count)] = UInt8(random.below(256)) }
                if random.below(3) == 0 { body.removeLast(random.below(body.count)) }
                _ = try await client.send("POST", "/app.git/git-receive-pack", body: body, chunk: 1 + random.below(400))
            }
            #expect(fixture.quarantines.isEmpty)
            for (_, commit) in try await fixture.server.branches(of: "app") {
                let target = fixture.directory.appending("export-\(commit)")
                #expect(try await fixture.server.export("app", commit: commit, to: target).files == 1)
            }
        }
    }

    @Test func `in gzip is refused and never grows without end`() throws {
        var random = SeededRandom(seed: 3)
        let honest = PackWriter.gzip((0..<3000).map { UInt8($0 % 251) })
        for _ in 0..<500 {
            var bytes = honest
            for _ in 0..<random.below(5) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            let inflater = try GzipInflater()
            var total = 0
            do {
                for chunk in RawClient.Chunks(bytes, size: 1 + random.below(500)).chunks {
                    try inflater.append(chunk)
                    while case let piece = try inflater.next(), !piece.isEmpty { total += piece.count }
                }
                try inflater.finish()
                #expect(total == 3000)
            } catch {}
            #expect(total <= 100_000)
        }
    }
}
