import SystemPackage
import TestSupport
import Testing

@testable import GitReceiver

/// The readers of what clients send, with damaged and split input: they never crash, always say what is wrong, and hold no
/// more than they were given.
@Suite(.timeLimit(.minutes(2)))
struct `A reader of requests` {
    private static let zero = String(repeating: "0", count: 40)
    private static let one = String(repeating: "1", count: 40)

    /// Honest requests of each kind.
    private static let requests: [[UInt8]] = [
        PktLine.encode("\(zero) \(one) refs/heads/main\0report-status side-band-64k push-options atomic")
            + PktLine.encode("shallow \(one)") + PktLine.encode("\(one) \(zero) refs/tags/v1\n") + PktLine.flush
            + PktLine.encode("a=b") + PktLine.flush,
        PktLine.encode("want \(one) multi_ack_detailed side-band-64k no-done\n") + PktLine.encode("shallow \(zero)")
            + PktLine.encode("deepen 3") + PktLine.flush + PktLine.encode("have \(zero)\n") + PktLine.flush
            + PktLine.encode("done\n"),
        PktLine.encode("command=fetch") + PktLine.encode("agent=git/2") + PktLine.delimiter
            + PktLine.encode("want \(one)") + PktLine.encode("deepen-since 17") + PktLine.encode("filter blob:none")
            + PktLine.encode("done") + PktLine.flush,
        PktLine.encode("command=ls-refs\n") + PktLine.delimiter + PktLine.encode("peel") + PktLine.flush,
    ]

    private static func packets(_ chunks: [[UInt8]]) -> ([Packet], failed: Bool) {
        var reader = PktLineReader()
        var packets: [Packet] = []
        for chunk in chunks {
            reader.append(chunk)
            do throws(GitReceiverError) {
                while let packet = try reader.next() { packets.append(packet) }
            } catch {
                #expect(!error.message.isEmpty)
                return (packets, true)
            }
        }
        return (packets, false)
    }

    @Test(arguments: requests.indices)
    func `reads the same however the bytes are cut`(index: Int) {
        let bytes = Self.requests[index]
        let whole = Self.packets([bytes])
        for cut in 0...bytes.count {
            let parts = Self.packets([Array(bytes[..<cut]), Array(bytes[cut...])])
            #expect(parts.0 == whole.0 && !parts.failed)
        }
        #expect(Self.packets(bytes.map { [$0] }).0 == whole.0)
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `says what is wrong with mutated bytes`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<3000 {
            var bytes = Self.requests[random.below(Self.requests.count)]
            for _ in 0...random.below(4) {
                switch random.below(4) {
                case 0: bytes[random.below(bytes.count)] = UInt8(random.below(256))
                case 1: bytes.remove(at: random.below(bytes.count))
                case 2: bytes.insert(UInt8(random.below(256)), at: random.below(bytes.count))
                default:
                    let start = random.below(bytes.count)
                    bytes += bytes[start..<min(bytes.count, start + random.below(60))]
                }
                if bytes.isEmpty { bytes = [48] }
            }
            let (packets, _) = Self.packets([bytes])
            func tries(_ body: () throws(GitReceiverError) -> Void) {
                do throws(GitReceiverError) { try body() } catch {
                    #expect(!error.message.isEmpty && error.message.utf8.count < 600)
                }
            }
            var parser = ReceiveRequestParser()
            tries { () throws(GitReceiverError) in
                for packet in packets where !parser.isFinished { try parser.consume(packet) }
            }
            tries { () throws(GitReceiverError) in _ = try FetchRequest(version0: packets) }
            tries { () throws(GitReceiverError) in
                if let command = try CommandRequest(packets) { _ = try FetchRequest(arguments: command.arguments) }
            }
        }
    }

    @Test func `stops counting at its limits`() throws {
        var parser = ReceiveRequestParser(limits: .init(commands: 10, options: 2, optionBytes: 20))
        #expect(throws: GitReceiverError.self) {
            for number in 0..<20 {
                try parser.consume(.data(Array("\(Self.zero) \(Self.one) refs/heads/\(number)".utf8)))
            }
        }
        #expect(parser.request.commands.count == 10)
        var shallow = ReceiveRequestParser(limits: .init(commands: 10, options: 2, optionBytes: 20))
        #expect(throws: GitReceiverError.self) {
            for number in 10..<40 {
                try shallow.consume(.data(Array("shallow \(String(repeating: "\(number)", count: 20))".utf8)))
            }
        }
        #expect(throws: GitReceiverError.self) {
            _ = try FetchRequest(arguments: (0..<2000).map { "deepen-not \($0)" })
        }
        var capabilities = Capabilities(Array(repeating: "agent=x", count: 5000).joined(separator: " "))
        #expect(capabilities["agent"] == "x")
        capabilities = Capabilities("=  = a= =b object-format")
        #expect(capabilities["a"] == "")
        #expect(throws: GitReceiverError.self) { try capabilities.requireSHA1() }
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `of packs survives any damage`(seed: UInt64) async throws {
        try await withTemporaryDirectory { directory in
            let library = try Libgit2Library()
            defer { withExtendedLifetime(library) {} }
            var random = SeededRandom(seed: seed)
            var writer = PackWriter()
            let base = [UInt8](repeating: 65, count: 300)
            let blob = writer.add(.blob, base)
            writer.addDelta(base: blob, PackWriter.varint(300) + PackWriter.varint(301) + [0xB0, 44, 1, 1, 66])
            let tree = writer.tree([("100644", Array("a".utf8), blob), ("40000", Array("b".utf8), writer.tree([]))])
            _ = writer.commit(tree)
            let honest = writer.finished()
            var limits = GitServer.Configuration.Limits()
            limits.objectBytes = 1 << 20
            for round in 0..<400 {
                var pack = honest
                for _ in 0..<random.below(4) { pack[random.below(pack.count)] = UInt8(random.below(256)) }
                if random.below(4) == 0 { pack.removeLast(random.below(pack.count)) }
                let isHonest = pack == honest
                var message = ""
                do throws(GitReceiverError) {
                    let receiver = try PackReceiver(into: directory, count: 5, limits: limits)
                    var rest = pack[...]
                    while !rest.isEmpty {
                        let piece = rest.prefix(1 + random.below(round.isMultiple(of: 2) ? 5 : 500))
                        rest = rest.dropFirst(piece.count)
                        _ = try receiver.append(Array(piece)) { false }
                    }
                    _ = try receiver.finish(
                        objects: { () throws(GitReceiverError) in
                            throw GitReceiverError(.incomplete, "there is no repository")
                        }, isOver: { false })
                } catch {
                    message = error.message
                    #expect(!message.isEmpty && !message.contains(directory.string))
                }
                #expect(isHonest == message.isEmpty, "\(seed) \(round): \(message)")
            }
        }
    }
}
