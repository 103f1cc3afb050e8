import Testing

/// The format of the cases and the judgement, which everything else relies on.
@Suite struct `A conformance case` {
    private func parse(_ text: String) throws -> [ProxyCase] { try CaseParser.parse(text, topic: "topic") }

    @Test func `is read from text`() throws {
        let cases = try self.parse(
            #"""
            # A comment.
            == passes a thing
            by RFC 1, 2
            > GET / HTTP/1.1
            > Host: a\
            client awaits 100
            > \{3*ab}\x00\s
            instance takes the head
            < HTTP/1.1 200 OK
            <
            instance then
            instance closes
            sees GET / HTTP/1.1
              Host: a
              no X-A
            gets 200|204
              body \r\n
            kept
            or
            refused 400
            """#)
        let parsed = try #require(cases.first)
        #expect(cases.count == 1)
        #expect(parsed.testDescription == "topic: passes a thing")
        #expect(parsed.source == "RFC 1, 2")
        #expect(
            parsed.client == [
                .send(Array("GET / HTTP/1.1\r\nHost: a".utf8)), .awaitInterim(100),
                .send(Array("ababab\0 \r\n".utf8)),
            ])
        #expect(
            parsed.instance == [[.takeHead, .send(Array("HTTP/1.1 200 OK\r\n\r\n".utf8))], [.close]])
        let request = RequestClaim(line: "GET / HTTP/1.1", claims: [.field("Host", "a"), .noField("X-A")])
        let answer = AnswerClaim(statuses: [200, 204], claims: [.body("\r\n")])
        let refusal = Outcome(requests: [], answers: [AnswerClaim(statuses: [400])], ending: .closed)
        #expect(parsed.outcomes == [Outcome(requests: [request], answers: [answer], ending: .kept), refusal])
    }

    @Test func `is made of each line of a table`() throws {
        let cases = try self.parse(
            """
            == refuses
            by RFC 1
            for value
              one
              two  <- the second
            > {{value}}
            refused 400
            """)
        #expect(cases.map(\.name) == ["refuses: one", "refuses: the second"])
        #expect(cases.map(\.group) == ["refuses", "refuses"])
        #expect(cases.map(\.client) == [[.send(Array("one\r\n".utf8))], [.send(Array("two\r\n".utf8))]])
    }

    @Test(arguments: [
        "== no source\n> GET", "== no client\nby RFC", "== a\nby RFC\n> GET\nnonsense", "== a\nby RFC\n> \\q",
        "== a\nby RFC\n> GET\n  Host: a", "== a\nby RFC\n> GET\ngets OK", "== a\nby RFC\n> GET\nclient dances",
        "== a\nby RFC\nfor x\n> GET",
    ])
    func `is not read from what makes no sense`(text: String) {
        #expect(throws: CaseFileError.self) { try self.parse(text) }
    }

    @Test func `has a name of its own`() throws {
        let names = try CaseLibrary.all().map(\.testDescription)
        #expect(Set(names).count == names.count)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", "a line ends in a bare LF"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r2\r\n\r\n", "a line holds a control character"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n", "'X : 1' is no field line"),
        ("GET / HTTP/1.1\r\nHost: a\r\n X: 1\r\n\r\n", "' X: 1' is no field line"),
        ("GET /\r\nHost: a\r\n\r\n", "'GET /' is no request line"),
        ("GET / HTTP/1.1\r\n\r\n", "Host: []"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "both Content-Length and Transfer-Encoding"
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n", "Content-Length: [\"+0\"]"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding: [\"xchunked\"]"
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
            "'5' is no size of a chunk"
        ),
    ])
    func `is failed by a request that two readers could read differently`(bytes: String, problem: String) throws {
        let request = try #require(SeenMessage.request(Array(bytes.utf8)[...], ended: false))
        #expect(request.problems == [problem])
    }

    @Test func `is judged by the outcome that fits best`() throws {
        var observation = Observation()
        observation.requests = [
            try #require(SeenMessage.request(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)[...], ended: false))
        ]
        observation.answers = [
            try #require(
                SeenMessage.answer(
                    Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".utf8)[...], ended: false, toHead: false))
        ]
        observation.ending = .kept
        func problems(_ outcome: String) throws -> [String] {
            try #require(try self.parse("== a\nby RFC\n> x\n" + outcome).first).problems(in: observation)
        }
        #expect(try problems("refused 400\nor\nsees GET / HTTP/1.1\n  Host: a\ngets 200\n  body ok\nkept") == [])
        #expect(try problems("sees nothing\ngets 200") == ["the instance sees 'GET / HTTP/1.1'"])
        #expect(
            try problems("sees GET /\n  no Host\ngets 200\n  cut") == [
                "the request has Host: a", "the answer 200 is whole",
            ])
        #expect(try problems("gets 100\ngets 200\nclosed").count == 3)
    }
}
