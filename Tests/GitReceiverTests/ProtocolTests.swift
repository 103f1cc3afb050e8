import Testing

@testable import GitReceiver

private func oid(_ digit: Character) -> ObjectID { ObjectID(String(repeating: digit, count: 40)) ?? .zero }

@Suite struct `Packets` {
    @Test(arguments: [
        ("0006a\n", [Packet.data(Array("a\n".utf8))]), ("0004", [.data([])]), ("0000", [.flush]),
        ("0001", [.delimiter]),
        ("0002", [.responseEnd]), ("0005a00000006b\n", [.data([97]), .flush, .data(Array("b\n".utf8))]),
        ("000", []), ("0009abcd", []), ("", []), ("000Aabcdef", [.data(Array("abcdef".utf8))]),
    ])
    func `are cut from bytes, however they arrive`(text: String, expected: [Packet]) throws {
        for size in 1...12 {
            var reader = PktLineReader()
            var packets: [Packet] = []
            for chunk in RawClient.Chunks(Array(text.utf8), size: size).chunks {
                reader.append(chunk)
                while let packet = try reader.next() { packets.append(packet) }
            }
            #expect(packets == expected)
        }
    }

    @Test(arguments: ["0003", "xyz1", "fff1", "-001", "00 5a"])
    func `of impossible lengths are refused`(text: String) {
        var reader = PktLineReader()
        reader.append(Array(text.utf8))
        #expect(throws: GitReceiverError.self) { try reader.next() }
    }

    @Test func `leave the pack after them alone`() throws {
        var reader = PktLineReader()
        reader.append(Array("0000PACK0000".utf8))
        #expect(try reader.next() == .flush)
        #expect(reader.takeRest() == Array("PACK0000".utf8))
        #expect(reader.pendingCount == 0)
    }

    @Test func `have names of twenty bytes`() {
        let hex = "0123456789abcdef0123456789abcdef01234567"
        #expect(ObjectID(hex)?.description == hex)
        #expect((ObjectID(hex)?.git).map(ObjectID.init(_:))?.description == hex)
        for wrong in ["", String(hex.dropLast()), hex + "0", hex.uppercased(), String(repeating: "g", count: 40)] {
            #expect(ObjectID(wrong) == nil)
        }
    }
}

@Suite struct `The commands of a push` {
    private func parse(_ packets: [Packet]) throws -> ReceiveRequest? {
        var parser = ReceiveRequestParser(limits: .init(commands: 3, options: 2, optionBytes: 20))
        for packet in packets { try parser.consume(packet) }
        return parser.isFinished ? parser.request : nil
    }

    private func line(_ text: String) -> Packet { .data(Array(text.utf8)) }

    @Test func `are read with capabilities, shallow lines and options`() throws {
        let request = try #require(
            try self.parse([
                self.line("shallow \(oid("5"))"),
                self.line("\(oid("0")) \(oid("1")) refs/heads/main\0 report-status atomic push-options agent=git/2.39"),
                self.line("\(oid("1")) \(oid("0")) refs/heads/old\n"), .flush, self.line("a=b"), self.line("c\n"),
                .flush,
            ]))
        #expect(request.commands.map(\.name) == ["refs/heads/main", "refs/heads/old"])
        #expect(request.commands.map(\.isDeletion) == [false, true])
        #expect(request.shallow == [oid("5")])
        #expect(request.options == ["a=b", "c"])
        #expect(request.isAtomic && request.reports && !request.usesSideBand && request.needsPack)
        #expect(request.capabilities["agent"] == "git/2.39")
    }

    @Test func `end with a flush, which alone is a probe`() throws {
        #expect(try self.parse([.flush])?.isProbe == true)
        #expect(try self.parse([self.line("\(oid("0")) \(oid("1")) refs/heads/main")]) == nil)
    }

    @Test(arguments: [
        "", "hello", "x y z", "\(oid("0")) \(oid("1"))", "\(oid("0")) \(oid("1")) ", "push-cert\0",
        "shallow xyz", "\(oid("0"))  \(oid("1")) refs/heads/main",
        "\(oid("0")) \(oid("1")) refs/heads/a\0object-format=sha256",
        String(repeating: "0", count: 64) + " " + String(repeating: "1", count: 64) + " refs/heads/main",
    ])
    func `are refused when malformed`(text: String) {
        #expect(throws: GitReceiverError.self) { try self.parse([self.line(text)]) }
    }

    @Test func `have limits`() throws {
        let command = { (n: Int) in self.line("\(oid("0")) \(oid("1")) refs/heads/b\(n)\0push-options") }
        #expect(throws: GitReceiverError.self) { try self.parse((0..<4).map(command) + [.flush]) }
        let options = [command(0), .flush]
        #expect(throws: GitReceiverError.self) {
            try self.parse(options + [self.line("a"), self.line("b"), self.line("c")])
        }
        #expect(throws: GitReceiverError.self) {
            try self.parse(options + [self.line("a long option of too many bytes")])
        }
    }
}

@Suite struct `Rules for references` {
    @Test(arguments: ["refs/heads/main", "refs/heads/a/b", "refs/tags/v1.0", "refs/heads/ümlaut", "refs/notes/x"])
    func `allow ordinary names`(name: String) { #expect(RefName.refusal(name) == nil) }

    @Test(arguments: [
        "HEAD", "refs", "refs/", "refs/heads", "refs/heads/", "refs/heads//a", "refs/heads/.a", "refs/heads/a.lock",
        "refs/heads/a.lock/b", "refs/heads/a..b", "refs/heads/a b", "refs/heads/a~", "refs/heads/a^", "refs/heads/a:b",
        "refs/heads/a?", "refs/heads/*", "refs/heads/[", "refs/heads/a\\b", "refs/heads/a@{b", "refs/heads/a.",
        "refs/heads/\u{7F}", "refs/heads/\n", "refs/heads/../../x", "/etc/passwd", "refs/heads/HEAD",
        "refs/heads/" + String(repeating: "a", count: 251), "refs/heads/main/\u{301}x",
    ])
    func `refuse names that git or a file system would not take`(name: String) { #expect(RefName.refusal(name) != nil) }

    @Test func `agree with libgit2 on random names`() throws {
        var random = SeededRandom(seed: 7)
        let alphabet = Array("abAB.-_/@{}~^:?*[\\ \u{7F}é")
        let library = try Libgit2Library()
        for _ in 0..<5000 {
            let name =
                "refs/heads/" + String((0..<random.below(8) + 1).map { _ in alphabet[random.below(alphabet.count)] })
            // Never laxer: what passes here must pass there.
            if RefName.refusal(name) == nil { #expect(Repository.isValidReferenceName(name), "\(name)") }
        }
        _ = library
    }

    @Test func `decide each command`() {
        let snapshot = RefSnapshot(refs: [
            .init(name: "refs/heads/a/b", oid: oid("2")), .init(name: "refs/heads/main", oid: oid("1")),
        ])
        let cases: [(String, ObjectID, ObjectID, String?)] = [
            ("refs/heads/main", oid("1"), oid("3"), nil), ("refs/heads/new", .zero, oid("3"), nil),
            ("refs/heads/a/b", oid("2"), .zero, nil), ("refs/heads/a", .zero, oid("3"), "'refs/heads/a/b' exists"),
            ("refs/heads/main/x", .zero, oid("3"), "'refs/heads/main' exists"),
            ("refs/heads/new/x", .zero, oid("3"), "'refs/heads/new' exists"),
            ("bad", .zero, oid("3"), "begin with refs/"),
            ("refs/heads/gone", oid("4"), .zero, "no such reference"),
            ("refs/heads/gone2", oid("4"), oid("5"), "fetch first"),
        ]
        let refusals = RefRules.refusals(
            cases.map { .init(name: $0.0, old: $0.1, new: $0.2) }, snapshot: snapshot, limit: 10)
        for (refusal, (name, _, _, expected)) in zip(refusals, cases) {
            #expect((refusal == nil) == (expected == nil), "\(name): \(refusal ?? "accepted")")
            if let expected { #expect(refusal?.contains(expected) == true, "\(name): \(refusal ?? "")") }
        }
        let others: [(ReceiveRequest.Command, String)] = [
            (.init(name: "refs/heads/main", old: oid("1"), new: .zero), "deletion of the current branch"),
            (.init(name: "refs/heads/main", old: oid("9"), new: oid("3")), "fetch first"),
            (.init(name: "refs/heads/main", old: .zero, new: oid("3")), "fetch first"),
            (.init(name: "refs/heads/x", old: .zero, new: .zero), "no such reference"),
        ]
        for (command, expected) in others {
            #expect(RefRules.refusals([command], snapshot: snapshot, limit: 10)[0]?.contains(expected) == true)
        }
        let twice = ReceiveRequest.Command(name: "refs/heads/t", old: .zero, new: oid("3"))
        #expect(RefRules.refusals([twice, twice], snapshot: snapshot, limit: 10).allSatisfy { $0 != nil })
        #expect(RefRules.refusals([twice], snapshot: snapshot, limit: 2)[0]?.contains("limit") == true)
        #expect(RefRules.atomically([nil, "no"]) == ["atomic push failure", "no"])
        #expect(RefRules.atomically([nil, nil]) == [nil, nil])
    }

    @Test(arguments: [
        (["refs/heads/main", "refs/heads/master"], "refs/heads/main"), (["refs/heads/master"], "refs/heads/master"),
        (["refs/heads/x"], "refs/heads/main"), ([], "refs/heads/main"),
    ])
    func `let HEAD fall to master`(names: [String], expected: String) {
        #expect(RefRules.head(current: "refs/heads/main", names: Set(names)) == expected)
    }

    @Test func `keep a reason on one line`() {
        let report = ReceiveReport(results: [("refs/heads/a", nil), ("refs/heads/b", "two\nlines\u{1B}[31m\tx")])
        #expect(String(decoding: report.encoded(), as: UTF8.self).contains("ng refs/heads/b two lines[31m x\n"))
    }
}

@Suite struct `A negotiation` {
    private func request(_ haves: [ObjectID?], done: Bool, _ capabilities: String) throws -> FetchRequest {
        var packets: [Packet] = [.data(Array("want \(oid("a")) \(capabilities)\n".utf8)), .flush]
        packets += haves.map { have in have.map { .data(Array("have \($0)\n".utf8)) } ?? .flush }
        if done { packets.append(.data(Array("done\n".utf8))) }
        return try FetchRequest(version0: packets)
    }

    private func lines(_ bytes: [UInt8]) throws -> [String] {
        var reader = PktLineReader()
        reader.append(bytes)
        var lines: [String] = []
        while let packet = try reader.next() {
            switch packet {
            case .data(let data): lines.append(Packet.text(data))
            case .flush: lines.append("0000")
            case .delimiter: lines.append("0001")
            case .responseEnd: lines.append("0002")
            }
        }
        return lines
    }

    /// Haves 1 to 4 are known to the server; `enough` says whether they suffice.
    @Test(arguments: [
        ("clone", "multi_ack_detailed", "", true, false, ["NAK"], true),
        ("nothing common", "multi_ack_detailed no-done", "89.", false, false, ["NAK"], false),
        ("common, not enough", "multi_ack_detailed no-done", "91.", false, false, ["ACK 1 common", "NAK"], false),
        ("enough", "multi_ack_detailed", "91.", false, true, ["ACK 1 common", "ACK 1 ready", "NAK"], false),
        (
            "enough, no-done", "multi_ack_detailed no-done", "91.", false, true,
            ["ACK 1 common", "ACK 1 ready", "NAK", "ACK 1"], true
        ),
        ("done", "multi_ack_detailed", "912", true, false, ["ACK 1 common", "ACK 2 common", "ACK 2"], true),
        ("old style", "multi_ack", "912.", true, false, ["ACK 1 continue", "ACK 2 continue", "NAK", "ACK 2"], true),
        ("oldest style", "", "912.", true, false, ["ACK 1"], true),
        ("oldest, none", "", "98.", true, false, ["NAK", "NAK"], true),
    ])
    func `in version 0 answers`(
        name: String, capabilities: String, haves: String, done: Bool, enough: Bool, expected: [String], pack: Bool
    ) throws {
        let request = try self.request(haves.map { $0 == "." ? nil : oid($0) }, done: done, capabilities)
        let known: Set<ObjectID> = [oid("1"), oid("2"), oid("3"), oid("4")]
        let outcome = try Negotiation.version0(request, has: { known.contains($0) }, suffices: { _ in enough })
        let short = try self.lines(outcome.reply).map { line in
            line.split(separator: " ").map { $0.count == 40 ? String($0.prefix(1)) : String($0) }.joined(separator: " ")
        }
        #expect(short == expected, "\(name)")
        #expect(outcome.sendsPack == pack, "\(name)")
    }

    @Test(arguments: [
        ("", true, false, ["packfile"], true), ("", false, false, ["packfile"], true),
        ("9", false, false, ["acknowledgments", "NAK", "0000"], false),
        ("91", false, false, ["acknowledgments", "ACK 1", "0000"], false),
        ("91", false, true, ["acknowledgments", "ACK 1", "ready", "0001", "packfile"], true),
        ("91", true, true, ["packfile"], true),
    ])
    func `in version 2 answers`(haves: String, done: Bool, enough: Bool, expected: [String], pack: Bool) throws {
        let arguments = ["want \(oid("a"))", "ofs-delta"] + haves.map { "have \(oid($0))" } + (done ? ["done"] : [])
        let request = try FetchRequest(arguments: arguments)
        let outcome = try Negotiation.version2(request, has: { $0 == oid("1") }, suffices: { _ in enough })
        let short = try self.lines(outcome.reply).map { line in
            line.split(separator: " ").map { $0.count == 40 ? String($0.prefix(1)) : String($0) }.joined(separator: " ")
        }
        #expect(short == expected)
        #expect(outcome.sendsPack == pack)
    }

    @Test(arguments: ["shallow x", "deepen x", "filter tree:0", "nonsense", "want 123", "have zz"])
    func `refuses what it does not know`(line: String) {
        #expect(throws: GitReceiverError.self) { try FetchRequest(arguments: [line]) }
    }

    @Test func `shows references by prefix`() throws {
        let snapshot = RefSnapshot(refs: [
            .init(name: "refs/heads/main", oid: oid("1")), .init(name: "refs/tags/v1", oid: oid("2"), peeled: oid("1")),
        ])
        #expect(
            try self.lines(
                Advertisement.lsRefs(
                    snapshot, arguments: ["peel", "symrefs", "ref-prefix refs/tags/", "ref-prefix HEAD"]))
                == [
                    "\(oid("1")) HEAD symref-target:refs/heads/main", "\(oid("2")) refs/tags/v1 peeled:\(oid("1"))",
                    "0000",
                ])
        let lines = try self.lines(Advertisement.uploadPack(snapshot, agent: "x"))
        #expect(lines[0] == "# service=git-upload-pack")
        #expect(lines[2].hasPrefix("\(oid("1")) HEAD\0"))
        #expect(lines[2].contains(" symref=HEAD:refs/heads/main"))
        #expect(lines[5] == "\(oid("1")) refs/tags/v1^{}")
        let empty = try self.lines(Advertisement.receivePack(RefSnapshot(), agent: "x"))
        #expect(empty[2].hasPrefix("\(ObjectID.zero) capabilities^{}\0report-status "))
    }
}
