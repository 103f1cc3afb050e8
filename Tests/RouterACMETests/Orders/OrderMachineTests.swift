import Testing

@testable import RouterACME

/// The order without an authority: what it is told, and what it then wants.
@Suite struct `An order` {
    private static let base = "https://ca.test"

    private func machine(
        hosts: [String] = ["a.example"], challenges: [ACMEChallengeKind] = [.http01, .tlsALPN01],
        replaces: String? = nil
    ) -> OrderMachine {
        OrderMachine(
            newOrderURL: "\(Self.base)/new",
            settings: .init(hosts: hosts, challenges: challenges, signingRequest: [1, 2, 3], replaces: replaces))
    }

    private static func reply(_ status: Int = 200, _ body: String, location: String? = nil, after: Duration? = nil)
        -> Reply
    {
        Reply(status: status, location: location, retryAfter: after, body: Array(body.utf8))
    }

    private static func order(_ status: String, authorizations: Int = 1, more: String = "") -> Reply {
        let urls = (0..<authorizations).map { #""\#(Self.base)/authz/\#($0)""# }.joined(separator: ",")
        return self.reply(
            201,
            #"{"status":"\#(status)","authorizations":[\#(urls)],"finalize":"\#(Self.base)/finalize"\#(more)}"#,
            location: "\(Self.base)/order")
    }

    private static func authorization(
        _ status: String, host: String = "a.example", kinds: [String] = ["dns-01", "http-01", "tls-alpn-01"],
        token: String = "tok", error: String? = nil
    ) -> Reply {
        let challenges = kinds.map { kind in
            let failure = error.map { #","error":{"type":"urn:ietf:params:acme:error:\#($0)","detail":"d"}"# } ?? ""
            return #"{"type":"\#(kind)","url":"\#(Self.base)/\#(kind)","token":"\#(token)"\#(failure)}"#
        }.joined(separator: ",")
        return self.reply(
            200,
            #"{"status":"\#(status)","identifier":{"type":"dns","value":"\#(host)"},"challenges":[\#(challenges)]}"#)
    }

    private static func read(_ path: String) -> OrderMachine.Action { .post(url: "\(self.base)/\(path)", payload: nil) }

    private static func answer(_ path: String) -> OrderMachine.Action {
        .post(url: "\(self.base)/\(path)", payload: Array("{}".utf8))
    }

    @Test func `goes from its making to its certificate`() throws {
        var machine = self.machine()
        #expect(
            try machine.start()
                == .post(
                    url: "\(Self.base)/new",
                    payload: Array(#"{"identifiers":[{"type":"dns","value":"a.example"}]}"#.utf8)))
        #expect(try machine.received(Self.order("pending")) == Self.read("authz/0"))
        let presentation = OrderMachine.Presentation(kind: .http01, host: "a.example", token: "tok")
        #expect(try machine.received(Self.authorization("pending")) == .present(presentation))
        #expect(try machine.presented() == Self.answer("http-01"))
        #expect(try machine.received(Self.reply(200, "{}")) == .wait(.milliseconds(500)))
        #expect(try machine.waitedEnough() == Self.read("authz/0"))
        #expect(try machine.received(Self.authorization("pending")) == .wait(.seconds(1)))
        #expect(try machine.waitedEnough() == Self.read("authz/0"))
        #expect(try machine.received(Self.authorization("valid")) == Self.read("order"))
        let finalize = OrderMachine.Action.post(
            url: "\(Self.base)/finalize", payload: Array(#"{"csr":"AQID"}"#.utf8))
        #expect(try machine.received(Self.order("ready")) == finalize)
        #expect(try machine.received(Self.order("processing")) == .wait(.milliseconds(500)))
        #expect(try machine.waitedEnough() == Self.read("order"))
        let valid = Self.order("valid", more: #","certificate":"\#(Self.base)/cert""#)
        #expect(try machine.received(valid) == Self.read("cert"))
        #expect(try machine.received(Self.reply(200, "PEM")) == .finish(chain: Array("PEM".utf8)))
        #expect(throws: ACMEError.self) { _ = try machine.received(Self.reply(200, "PEM")) }
    }

    @Test func `proves each of its hosts`() throws {
        var machine = self.machine(hosts: ["a.example", "b.example"])
        _ = try machine.start()
        #expect(try machine.received(Self.order("pending", authorizations: 2)) == Self.read("authz/0"))
        #expect(try machine.received(Self.authorization("valid")) == Self.read("authz/1"))
        let presentation = OrderMachine.Presentation(kind: .http01, host: "b.example", token: "tok")
        #expect(try machine.received(Self.authorization("pending", host: "b.example")) == .present(presentation))
    }

    @Test(arguments: [
        ("ready", "finalize"), ("valid", "cert"), ("pending", "authz/0"),
    ])
    func `goes on where the authority already is`(status: String, path: String) throws {
        var machine = self.machine()
        _ = try machine.start()
        let action = try machine.received(Self.order(status, more: #","certificate":"\#(Self.base)/cert""#))
        guard case .post(let url, _) = action else {
            Issue.record("\(action)")
            return
        }
        #expect(url == "\(Self.base)/\(path)")
    }

    @Test(
        arguments: [
            ([.http01, .tlsALPN01], ["tls-alpn-01", "http-01"], "http-01"),
            ([.tlsALPN01, .http01], ["http-01", "tls-alpn-01"], "tls-alpn-01"),
            ([.http01, .tlsALPN01], ["dns-01", "tls-alpn-01"], "tls-alpn-01"),
            ([.http01], ["dns-01", "tls-alpn-01"], nil), ([.http01], [], nil),
        ] as [([ACMEChallengeKind], [String], String?)])
    func `takes the preferred challenge among those offered`(
        kinds: [ACMEChallengeKind], offered: [String], expected: String?
    ) throws {
        var machine = self.machine(challenges: kinds)
        _ = try machine.start()
        _ = try machine.received(Self.order("pending"))
        guard let expected else {
            let error = #expect(throws: ACMEError.self) {
                _ = try machine.received(Self.authorization("pending", kinds: offered))
            }
            #expect(error?.code == .challengeFailed)
            return
        }
        guard case .present(let chosen) = try machine.received(Self.authorization("pending", kinds: offered)) else {
            Issue.record("nothing is presented")
            return
        }
        #expect(chosen.kind.description == expected)
    }

    @Test(arguments: ["invalid", "deactivated", "expired", "revoked", "surprising"])
    func `fails with its challenge`(status: String) throws {
        var machine = self.machine()
        _ = try machine.start()
        _ = try machine.received(Self.order("pending"))
        _ = try machine.received(Self.authorization("pending"))
        _ = try machine.presented()
        _ = try machine.received(Self.reply(200, "{}"))
        _ = try machine.waitedEnough()
        let error = #expect(throws: ACMEError.self) {
            _ = try machine.received(Self.authorization(status, error: "connection"))
        }
        #expect(error?.code == .challengeFailed && error?.challenge == .http01)
        #expect(error?.problem?.name == "connection")
        #expect(error?.message.contains("port 80") == true)
    }

    @Test(arguments: [
        (Self.reply(403, #"{"type":"urn:ietf:params:acme:error:rejectedIdentifier"}"#), ACMEError.Code.refused),
        (Self.reply(429, #"{"type":"urn:ietf:params:acme:error:rateLimited"}"#, after: .seconds(60)), .rateLimited),
        (Self.reply(503, "busy", after: .seconds(60)), .rateLimited), (Self.reply(500, "oops"), .unreachable),
        (Self.reply(201, "{}"), .unexpectedAnswer), (Self.reply(201, "<html>"), .unexpectedAnswer),
        (Self.reply(302, ""), .refused), (Self.order("invalid"), .refused), (Self.order("odd"), .refused),
    ])
    func `fails with what the authority says`(reply: Reply, code: ACMEError.Code) throws {
        var machine = self.machine()
        _ = try machine.start()
        let error = #expect(throws: ACMEError.self) { _ = try machine.received(reply) }
        #expect(error?.code == code)
        if code == .rateLimited { #expect(error?.retryAfter == .seconds(60)) }
    }

    @Test(arguments: ["", "a/b", "../x", "a b", "a=", String(repeating: "a", count: 300)])
    func `does not answer a token that is none`(token: String) throws {
        var machine = self.machine()
        _ = try machine.start()
        _ = try machine.received(Self.order("pending"))
        #expect(throws: ACMEError.self) { _ = try machine.received(Self.authorization("pending", token: token)) }
    }

    @Test func `does not prove hosts that it was not made for`() throws {
        var machine = self.machine()
        _ = try machine.start()
        _ = try machine.received(Self.order("pending"))
        #expect(throws: ACMEError.self) {
            _ = try machine.received(Self.authorization("pending", host: "evil.example"))
        }
    }

    @Test func `is made again without what it replaces when that is refused`() throws {
        var machine = self.machine(replaces: "id")
        guard case .post(_, let first?) = try machine.start() else { return }
        #expect(String(decoding: first, as: UTF8.self).contains(#""replaces":"id""#))
        let refusal = Self.reply(409, #"{"type":"urn:ietf:params:acme:error:alreadyReplaced"}"#)
        guard case .post(_, let second?) = try machine.received(refusal) else { return }
        #expect(!String(decoding: second, as: UTF8.self).contains("replaces"))
        #expect(throws: ACMEError.self) { _ = try machine.received(refusal) }
    }

    @Test func `waits as long as it is told, but not for ever`() throws {
        var machine = self.machine()
        _ = try machine.start()
        #expect(
            try machine.received(Self.reply(201, Self.orderText("processing"), location: "x", after: .seconds(7)))
                == .wait(.seconds(7)))
        var total = Duration.seconds(7)
        let error = #expect(throws: ACMEError.self) {
            while true {
                _ = try machine.waitedEnough()
                guard case .wait(let time) = try machine.received(Self.order("processing")) else { return }
                #expect(time <= .seconds(60))
                total += time
            }
        }
        #expect(error?.code == .timedOut)
        #expect(total <= .seconds(300) && total > .seconds(280))
    }

    private static func orderText(_ status: String) -> String {
        #"{"status":"\#(status)","authorizations":[],"finalize":"\#(Self.base)/finalize"}"#
    }

    @Test func `ends even when the authority goes round in circles`() throws {
        var machine = self.machine()
        _ = try machine.start()
        let error = #expect(throws: ACMEError.self) {
            while true { _ = try machine.received(Self.order("ready")) }
        }
        #expect(error?.code == .unexpectedAnswer)
    }

    @Test func `is looked at again when it was not ready after all`() throws {
        var machine = self.machine()
        _ = try machine.start()
        _ = try machine.received(Self.order("ready"))
        let refusal = Self.reply(403, #"{"type":"urn:ietf:params:acme:error:orderNotReady"}"#)
        #expect(try machine.received(refusal) == .wait(.milliseconds(500)))
        #expect(try machine.waitedEnough() == Self.read("order"))
    }
}
