import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import RouterCore

/// Real connections, from clients of every make.
@Suite(.timeLimit(.minutes(1))) struct `A handshake` {
    private let authority: TestAuthority

    init() throws { self.authority = try TestAuthority() }

    private func store(_ hosts: [String], _ settings: TLSSettings = TLSSettings()) throws -> CertificateStore {
        let store = CertificateStore(settings: settings)
        for host in hosts { try store.set(try self.authority.issue([host]).certificate) }
        return store
    }

    @Test(arguments: [
        ("a.example", "CN=a.example"), ("x.wild.example", "CN=*.wild.example"),
    ])
    func `has the certificate of the host that the client names`(host: String, subject: String) async throws {
        let store = try self.store(["a.example", "*.wild.example"])
        try await TLSServer.with(store) { server in
            let outcome = try await TLSClient.connect(
                port: server.port, host: host, protocols: ["http/1.1"], roots: self.authority.pem)
            #expect(outcome.error == nil)
            #expect(outcome.received.contains("name=\(host) protocol=http1 version=TLSv1.3 client=-"), "\(outcome)")
            #expect("CN=\(outcome.names[0])" == subject)
        }
    }

    @Test func `sees a change of certificates at once`() async throws {
        let store = try self.store(["a.example"])
        try await TLSServer.with(store) { server in
            try store.set(try self.authority.issue(["a.example", "renewed.example"]).certificate)
            let renewed = try await TLSClient.connect(port: server.port, host: "a.example", roots: self.authority.pem)
            #expect(renewed.names == ["a.example", "renewed.example"])
            store.remove(hosts: ["a.example"])
            let removed = try await TLSClient.connect(port: server.port, host: "a.example", roots: self.authority.pem)
            #expect(!removed.isComplete)
        }
    }

    @Test func `never fails because certificates change under it`() async throws {
        let issued = try (0..<2).map { try self.authority.issue(["a.example", "v\($0).example"]).certificate }
        let store = CertificateStore()
        try store.set(issued[0])
        try await TLSServer.with(store) { server in
            try await withThrowingTaskGroup(of: TLSClient.Outcome.self) { group in
                for round in 0..<60 {
                    group.addTask {
                        try await TLSClient.connect(port: server.port, host: "a.example", roots: self.authority.pem)
                    }
                    try store.set(issued[round % 2], hosts: ["a.example"])
                }
                for try await outcome in group {
                    #expect(outcome.error == nil && outcome.received.contains("200 OK"), "\(outcome)")
                }
            }
        }
    }

    @Test func `falls to the default certificate, or is refused by name`() async throws {
        for policy in [TLSSettings.UnknownHost.defaultCertificate, .refuse] {
            var settings = TLSSettings()
            settings.unknownHost = policy
            let store = try self.store(["a.example"], settings)
            try store.setDefault(try self.authority.issue(["default.example"]).certificate)
            try await TLSServer.with(store) { server in
                let unknown = try await TLSClient.connect(port: server.port, host: "b.example", roots: nil)
                #expect(unknown.names == (policy == .refuse ? [] : ["default.example"]))
                if policy == .refuse { #expect(unknown.error?.contains("UNRECOGNIZED_NAME") == true, "\(unknown)") }
                let unnamed = try await TLSClient.connect(port: server.port, host: nil, roots: nil)
                #expect(unnamed.names == ["default.example"])
                #expect(unnamed.received.contains("name=- "))
            }
        }
    }

    @Test(arguments: [
        (["h2", "http/1.1"], true, "h2"), (["http/1.1", "h2"], true, "h2"), (["h2", "http/1.1"], false, "http/1.1"),
        (["http/1.1"], true, "http/1.1"), ([], true, nil), (["h2"], false, nil), (["smtp"], true, nil),
        (["acme-tls/1"], true, nil),
    ])
    func `settles on a protocol`(offered: [String], http2: Bool, expected: String?) async throws {
        var settings = TLSSettings()
        settings.http2 = http2
        try await TLSServer.with(try self.store(["a.example"], settings)) { server in
            let outcome = try await TLSClient.connect(
                port: server.port, host: "a.example", protocols: offered, roots: self.authority.pem)
            #expect(outcome.negotiated == expected)
            #expect(outcome.isComplete == (expected != nil || offered.isEmpty))
            if !outcome.isComplete {
                #expect(outcome.error?.contains("NO_APPLICATION_PROTOCOL") == true, "\(outcome)")
            } else {
                #expect(outcome.received.contains("protocol=\(expected == "h2" ? "http2" : "http1")"))
            }
        }
    }

    @Test func `answers a challenge for its host only while there is one`() async throws {
        let challenges = ACMEChallenges()
        let store = try self.store(["a.example", "b.example"])
        try challenges.setTLSALPN(
            host: "A.example", certificate: try self.authority.issue(["a.example", "challenge"]).certificate)
        try await TLSServer.with(store, challenges: challenges) { server in
            func connect(_ host: String, _ protocols: [String]) async throws -> TLSClient.Outcome {
                try await TLSClient.connect(port: server.port, host: host, protocols: protocols, roots: nil)
            }
            let checked = try await connect("a.example", ["acme-tls/1"])
            #expect(checked.negotiated == "acme-tls/1" && checked.names == ["a.example", "challenge"])
            #expect(checked.received.isEmpty)
            for protocols in [["h2"], ["acme-tls/1", "http/1.1"], []] {
                let ordinary = try await connect("a.example", protocols)
                #expect(ordinary.names == ["a.example"] && ordinary.negotiated != "acme-tls/1")
                #expect(ordinary.received.contains("200 OK"))
            }
            #expect(try await !connect("b.example", ["acme-tls/1"]).isComplete)
            challenges.removeTLSALPN(host: "a.example")
            #expect(try await !connect("a.example", ["acme-tls/1"]).isComplete)
        }
    }

    @Test func `is not waited for longer than its time limit`() async throws {
        var settings = TLSSettings()
        settings.handshakeTimeout = .milliseconds(50)
        try await TLSServer.with(try self.store(["a.example"], settings)) { server in
            for bytes in [[], Array(HelloBuilder(names: ["a.example"]).records().dropLast())] {
                let client = try await RawClient(port: server.port)
                if !bytes.isEmpty { client.send(bytes) }
                #expect(await client.receiveAll().isEmpty)
            }
        }
    }

    @Test func `is not made with a client that does not speak TLS`() async throws {
        try await TLSServer.with(try self.store(["a.example"])) { server in
            let http = try await RawClient(port: server.port)
            http.send("POST /form HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nsecret=42")
            let answer = await http.receiveAll()
            #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
            #expect(answer.hasSuffix("https:// instead of http://.\n"))
            await http.close()

            let other = try await RawClient(port: server.port)
            other.send("ssh-2.0\r\n")
            #expect(await other.receiveAll().isEmpty)

            let garbled = try await RawClient(port: server.port)
            garbled.send([22, 3, 1, 0, 4, 1, 0, 0, 0])
            await garbled.receive(count: 7)
            #expect(Array(garbled.text.utf8) == TLSAlert.decodeError.record)
            await garbled.close()

            let gone = try await RawClient(port: server.port)
            gone.send([22, 3])
            await gone.finishWriting()
            #expect(await gone.receiveAll().isEmpty)
        }
    }

    @Test func `is one that curl makes`() async throws {
        try await withTemporaryDirectory { directory in
            let roots = directory.appending("roots.pem").string
            try self.authority.pem.write(toFile: roots, atomically: true, encoding: .utf8)
            try await TLSServer.with(try self.store(["a.example"])) { server in
                let fixed = ["-sS", "--http1.1", "--cacert", roots, "--resolve", "a.example:\(server.port):127.0.0.1"]
                for version in ["1.2", "1.3"] {
                    let answer = try await Program.run(
                        "curl", fixed + ["--tls-max", version, "https://a.example:\(server.port)/"])
                    #expect(
                        answer.output == "name=a.example protocol=http1 version=TLSv\(version) client=-\n", "\(answer)")
                }
                let old = try await Program.run(
                    "curl", fixed + ["--tls-max", "1.1", "https://a.example:\(server.port)/"])
                #expect(old.status == 35, "\(old)")
                let plain = try await Program.run("curl", fixed + ["http://a.example:\(server.port)/"])
                #expect(plain.output.contains("speaks HTTPS"), "\(plain)")
            }
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct `Mutual TLS` {
    private let authority: TestAuthority

    init() throws { self.authority = try TestAuthority() }

    @Test func `asks for a certificate, or demands one, and tells whose it is`() async throws {
        let clients = try TestAuthority("Clients")
        let name = (organization: "Example", name: "alice")
        let alice = try clients.issue([], subject: name)
        let stranger = try TestAuthority("Clients").issue([], subject: name)
        try await withTemporaryDirectory { directory in
            func write(_ text: String, _ file: String) throws -> String {
                let path = directory.appending(file).string
                try text.write(toFile: path, atomically: true, encoding: .utf8)
                return path
            }
            let roots = try write(self.authority.pem, "roots.pem")
            let good = ["--cert", try write(alice.chain + alice.key, "alice.pem")]
            let bad = ["--cert", try write(stranger.chain + stranger.key, "stranger.pem")]
            for isRequired in [false, true] {
                var settings = TLSSettings()
                let clientRoots = Array(clients.pem.utf8)
                settings.clientAuthentication =
                    isRequired ? try .required(roots: clientRoots) : try .requested(roots: clientRoots)
                let store = CertificateStore(settings: settings)
                try store.set(try self.authority.issue(["a.example"]).certificate)
                try await TLSServer.with(store) { server in
                    for version in ["1.2", "1.3"] {
                        func get(_ more: [String]) async throws -> Program.Result {
                            try await Program.run(
                                "curl",
                                [
                                    "-sS", "--http1.1", "--tls-max", version, "--cacert", roots, "--resolve",
                                    "a.example:\(server.port):127.0.0.1", "https://a.example:\(server.port)/",
                                ] + more)
                        }
                        #expect(try await get(good).output.hasSuffix("client=CN=alice,O=Example\n"))
                        let without = try await get([])
                        #expect(without.output.hasSuffix("client=-\n") == !isRequired, "\(without)")
                        let unknown = try await get(bad)
                        #expect(unknown.status != 0 && unknown.output.isEmpty, "\(unknown)")
                    }
                }
            }
        }
    }

    @Test func `needs authorities`() {
        let error = #expect(throws: TLSError.self) { _ = try TLSSettings.ClientAuthentication.required(roots: []) }
        #expect(error?.code == .malformedCertificate)
    }
}

@Suite(.enabled(if: Program.has("openssl"), "openssl is not installed"), .timeLimit(.minutes(1)))
struct `A session` {
    private func command(_ server: TLSServer, _ host: String, _ more: [String]) async throws -> Program.Result {
        try await Program.run(
            "openssl", ["s_client", "-connect", "127.0.0.1:\(server.port)", "-servername", host] + more,
            input: "GET / HTTP/1.1\r\n\r\n")
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `is resumed by a ticket, with the certificate it began with only`(version: String) async throws {
        let authority = try TestAuthority()
        let store = CertificateStore()
        for host in ["a.example", "b.example"] { try store.set(try authority.issue([host]).certificate) }
        try await withTemporaryDirectory { directory in
            let session = directory.appending("session").string
            try await TLSServer.with(store) { server in
                let first = try await self.command(server, "a.example", [version, "-ign_eof", "-sess_out", session])
                #expect(first.output.contains("New, "), "\(first)")
                let again = try await self.command(server, "a.example", [version, "-ign_eof", "-sess_in", session])
                #expect(again.output.contains("Reused, "), "\(again)")
                #expect(again.output.contains("name=a.example"), "\(again)")
                let other = try await self.command(server, "b.example", [version, "-ign_eof", "-sess_in", session])
                #expect(other.output.contains("New, "), "\(other)")
                try store.set(try authority.issue(["a.example"]).certificate)
                let renewed = try await self.command(server, "a.example", [version, "-ign_eof", "-sess_in", session])
                #expect(renewed.output.contains("New, "), "\(renewed)")
            }
        }
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `knows its client when it is resumed, and is not given to another`(version: String) async throws {
        let (authority, clients) = (try TestAuthority(), try TestAuthority("Clients"))
        var settings = TLSSettings()
        settings.clientAuthentication = try .required(roots: Array(clients.pem.utf8))
        let store = CertificateStore(settings: settings)
        try store.set(try authority.issue(["a.example"]).certificate)
        let alice = try clients.issue([], subject: (organization: "Example", name: "alice"))
        try await withTemporaryDirectory { directory in
            let session = directory.appending("session").string
            let identity = directory.appending("alice.pem").string
            try (alice.chain + alice.key).write(toFile: identity, atomically: true, encoding: .utf8)
            try await TLSServer.with(store) { server in
                let certified = [version, "-ign_eof", "-cert", identity, "-key", identity]
                let first = try await self.command(server, "a.example", certified + ["-sess_out", session])
                #expect(first.output.contains("client=CN=alice,O=Example"), "\(first)")
                let again = try await self.command(server, "a.example", certified + ["-sess_in", session])
                #expect(again.output.contains("Reused, "), "\(again)")
                #expect(again.output.contains("client=CN=alice,O=Example"), "\(again)")
                let none = try await self.command(server, "a.example", [version, "-ign_eof"])
                #expect(!none.output.contains("200 OK"), "\(none)")
            }
        }
    }

    @Test func `has forward secrecy and a modern cipher`() async throws {
        let authority = try TestAuthority()
        let store = CertificateStore()
        try store.set(try authority.issue(["a.example"]).certificate)
        try await TLSServer.with(store) { server in
            for cipher in ["ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256"] {
                let weak = try await self.command(server, "a.example", ["-tls1_2", "-cipher", cipher, "-ign_eof"])
                #expect(!weak.output.contains("200 OK"), "\(weak)")
            }
            let good = try await self.command(
                server, "a.example", ["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305", "-ign_eof"])
            #expect(good.output.contains("200 OK"), "\(good)")
        }
    }
}
