import Testing

@testable import ProcessSupervisor

@Suite struct LineSplitterTests {
    typealias Line = LineSplitter.Line

    static func split(_ chunks: [[UInt8]], limit: Int = 8, finish: Bool = true) -> [Line] {
        var splitter = LineSplitter(limit: limit)
        var lines: [Line] = []
        for chunk in chunks { splitter.append(chunk, into: &lines) }
        if finish { splitter.finish(into: &lines) }
        return lines
    }

    @Test(arguments: [
        (["one\ntwo\n"], ["one", "two"]),
        (["o", "ne\ntw", "o"], ["one", "two"]),
        (["\n\n"], ["", ""]),
        (["dos\r\n"], ["dos"]),
        ([""], []),
    ])
    func `cuts at line ends`(chunks: [String], expected: [String]) {
        let lines = Self.split(chunks.map { Array($0.utf8) })
        #expect(lines.map(\.text) == expected)
        #expect(!lines.contains { $0.isPartial })
    }

    @Test func `cuts long lines in pieces and says so`() {
        let lines = Self.split([Array("0123456789abcdefgh\n".utf8)])
        #expect(
            lines == [
                Line(text: "01234567", isPartial: true), Line(text: "89abcdef", isPartial: true),
                Line(text: "gh", isPartial: false),
            ])
    }

    @Test func `never cuts a character in two`() {
        let text = "aé漢😀bé漢😀cé漢😀"
        for limit in 4...12 {
            let lines = Self.split([Array(text.utf8)], limit: limit)
            #expect(lines.map(\.text).joined() == text)
            #expect(lines.allSatisfy { $0.text.utf8.count <= limit })
        }
    }

    @Test func `repairs what is no text`() {
        #expect(Self.split([[0xff, 0xfe, 0x41, 0x0a]]).map(\.text) == ["\u{fffd}\u{fffd}A"])
        #expect(Self.split([[UInt8](repeating: 0x80, count: 20)]).count == 3)
    }

    @Test func `keeps an unfinished character back when it flushes`() {
        var splitter = LineSplitter(limit: 100)
        var lines: [Line] = []
        splitter.append(Array("name: é".utf8).dropLast(), into: &lines)
        splitter.flushPartial(into: &lines)
        #expect(lines == [Line(text: "name: ", isPartial: true)])
        splitter.append([0xa9, 0x0a], into: &lines)
        #expect(lines.last == Line(text: "é", isPartial: false))
    }
}

@Suite struct BackoffTests {
    @Test(arguments: [
        (1, Duration.seconds(1)), (2, .seconds(2)), (3, .seconds(4)), (6, .seconds(32)), (7, .seconds(60)),
        (1000, .seconds(60)),
    ])
    func `doubles its bound up to the ceiling`(attempt: Int, bound: Duration) {
        #expect(BackoffPolicy().bound(beforeAttempt: attempt) == bound)
    }

    @Test func `spreads waits over the whole bound`() throws {
        var random = SplitMix(state: 1)
        var waits: [Duration] = []
        for _ in 0..<200 { waits.append(try #require(BackoffPolicy().delay(beforeAttempt: 5, using: &random))) }
        #expect(waits.allSatisfy { $0 >= .zero && $0 <= .seconds(16) })
        #expect(waits.contains { $0 < .seconds(4) })
        #expect(waits.contains { $0 > .seconds(12) })
    }

    @Test(arguments: [Double.nan, .infinity, -3, 0, 1e300])
    func `survives hostile numbers`(multiplier: Double) {
        let bound = BackoffPolicy(multiplier: multiplier).bound(beforeAttempt: 50)
        #expect(bound >= .zero && bound <= .seconds(60))
    }
}

@Suite struct InstanceIDTests {
    @Test(arguments: [
        ("guestbook/web.1@v3-a1b2", "guestbook%2fweb.1@v3-a1b2"), ("..", "%2e."), ("a%2fb", "a%252fb"), ("é", "%c3%a9"),
    ])
    func `becomes a file name that no path can hide in`(id: String, name: String) {
        #expect(InstanceID(id).fileName == name)
    }
}

@Suite struct PortAllocatorTests {
    @Test func `gives every port once and takes them back`() {
        var allocator = PortAllocator(range: 100...103)
        var random = SplitMix(state: 7)
        let ports = (0..<4).map { _ in allocator.allocate(using: &random) { _ in true } }
        #expect(Set(ports) == [100, 101, 102, 103])
        let none = allocator.allocate(using: &random) { _ in true }
        allocator.release(102)
        let again = allocator.allocate(using: &random) { _ in true }
        #expect(none == nil)
        #expect(again == 102)
    }

    @Test func `passes over ports that somebody else has`() {
        var allocator = PortAllocator(range: 100...103)
        var random = SplitMix(state: 7)
        let first = allocator.allocate(using: &random) { $0 == 101 }
        let second = allocator.allocate(using: &random) { $0 == 101 }
        #expect(first == 101)
        #expect(second == nil)
    }
}

@Suite struct ProcessTreeTests {
    static func entry(
        _ pid: Int32, parent: Int32, session: Int32, start: UInt64 = 100, state: Character = "S",
        brand: UInt64 = .max
    ) -> ProcessEntry {
        ProcessEntry(
            pid: pid, parent: parent, group: session, session: session, startTime: start,
            state: state.asciiValue ?? 0, residentLimit: brand, exitCode: 0)
    }

    @Test func `finds members by session, mark, brand and parents`() {
        let processes = [
            Self.entry(1, parent: 0, session: 1, start: 1),
            Self.entry(2, parent: 0, session: 0, start: 1),
            Self.entry(10, parent: 9, session: 10),
            Self.entry(11, parent: 10, session: 10),
            Self.entry(12, parent: 1, session: 12),  // daemonised, marked
            Self.entry(13, parent: 12, session: 13),  // its child, neither
            Self.entry(14, parent: 1, session: 14, brand: ProcessTree.brand(of: "x")),  // daemonised, no mark left
            Self.entry(20, parent: 1, session: 20),  // a stranger
        ]
        let tree = ProcessTree(leader: 10, leaderStart: 100, startID: "x")
        let members = tree.members(in: processes, excluding: 9) { $0 == 12 }
        #expect(members.map(\.pid) == [10, 11, 12, 13, 14])
    }

    @Test func `does not take a stranger who has got the number`() {
        let processes = [
            Self.entry(10, parent: 1, session: 10, start: 500), Self.entry(11, parent: 10, session: 10, start: 501),
        ]
        let tree = ProcessTree(leader: 10, leaderStart: 100, startID: "x")
        #expect(tree.members(in: processes, excluding: 9) { _ in false } == [])
    }

    @Test func `without a leader trusts the mark alone`() {
        let processes = [Self.entry(2, parent: 0, session: 0), Self.entry(30, parent: 1, session: 30)]
        let tree = ProcessTree(leader: -1, leaderStart: 0, startID: "x")
        #expect(tree.members(in: processes, excluding: 9) { $0 == 30 }.map(\.pid) == [30])
    }

    @Test func `reads a stat line with a hostile name`() throws {
        let text = "42 (a) S 1 (b) ) Z 7 42 42 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 9876 0 0 18446744073709551615 0"
        let entry = try #require(Procfs.parse(stat: Array(text.utf8), pid: 42))
        #expect(entry.parent == 7)
        #expect(entry.startTime == 9876)
        #expect(entry.residentLimit == .max)
        #expect(entry.hasEnded)
    }
}

@Suite struct HTTPProbeTests {
    @Test func `a configured path cannot add headers`() {
        let request = String(
            decoding: HTTPProbe.request(path: "/\r\nX: 1", headers: ["host": "example.org"], host: "ignored"),
            as: UTF8.self)
        #expect(request.hasPrefix("GET /X: 1 HTTP/1.1\r\n"))
        #expect(request.contains("host: example.org\r\n"))
        #expect(!request.contains("ignored"))
    }

    static func response(_ parts: String?...) -> HTTPProbe.Response {
        var response = HTTPProbe.Response()
        for part in parts { response.append(part.map { Array($0.utf8) }) }
        return response
    }

    @Test func `reads status and the first line of the body`() {
        #expect(!Self.response("HTTP/1.1 503 Serv").hasExcerpt)
        let response = Self.response("HTTP/1.1 503 Serv", "ice\r\nA: b\r\n\r\ndatabase is down\nmore")
        #expect(response.hasExcerpt)
        #expect(response.status == 503)
        #expect(response.excerpt == "database is down")
    }

    @Test func `gives up on what is not HTTP`() {
        let response = Self.response(String(repeating: "A", count: 20000))
        #expect(response.hasExcerpt)
        #expect(response.status == nil)
    }

    @Test(
        arguments: [
            (["HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nall is well"], true, true),
            (["HTTP/1.1 200 OK\r\n\r\nall is w", "ell and more to come"], true, true),
            (["HTTP/1.1 200 OK\r\n\r\nall is w"], false, false),
            (["HTTP/1.1 200 OK\r\n\r\nall is w", nil], true, false),
            (["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnope"], true, false),
            // In pieces of the transfer, and the text lies over their border.
            (["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nall is \r\n4;x=y\r\nwell\r\n"], true, true),
            (["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nall is \r\n"], false, false),
            (["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nall is \r\n0\r\n\r\n"], true, false),
            (["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\nall is well"], true, true),
            (["HTTP/1.1 200 all is well\r\nX: all is well\r\n\r\n", nil], true, false),
        ] as [([String?], Bool, Bool)])
    func `looks for a text in the body alone`(parts: [String?], settles: Bool, contains: Bool) {
        var response = HTTPProbe.Response()
        for part in parts { response.append(part.map { Array($0.utf8) }) }
        #expect(response.settles("is well") == settles)
        #expect(response.contains("is well") == contains)
    }

    @Test func `gives up on who drips`() {
        var response = HTTPProbe.Response()
        for byte in "HTTP/1.1 200 OK\r\n\r\n".utf8 { response.append([byte]) }
        for _ in 0..<200 { response.append([120]) }
        #expect(!response.settles("well"))
        for _ in 0..<50 { response.append([120]) }
        #expect(response.settles("well"))
        #expect(response.status == 200)
    }

    @Test func `a set of statuses is made of ranges and single ones`() throws {
        let set = StatusSet(200..<300, 404..<405)
        #expect([199, 200, 299, 300, 404].map(set.contains) == [false, true, true, false, true])
        #expect(StatusSet(arrayLiteral: 204).contains(204))
        #expect(!StatusSet(arrayLiteral: 204).contains(205))
    }
}
