import Foundation
import RouterCore
import Synchronization
import TestSupport
import Testing

@testable import RouterACME

/// The manager with an authority in memory and a clock that the test moves.
@Suite(.timeLimit(.minutes(1))) struct `The manager of certificates` {
    @Test func `has a certificate for each of its hosts`() async throws {
        let hosts = ManagedHosts()
        try hosts.manager.setHosts(["A.example", "b.example"])
        #expect(hosts.status("a.example")?.state == .waiting)
        try await hosts.running {
            await hosts.advance { hosts.manager.status.allSatisfy { $0.state == .valid } }
            #expect(hosts.certificates.certificates.keys.sorted() == ["a.example", "b.example"])
            #expect(hosts.status("a.example")?.notAfter != nil)
            try hosts.manager.setHosts(["b.example", "c.example"])
            #expect(hosts.certificates.certificate(host: "a.example") == nil)
            await hosts.advance { hosts.status("c.example")?.state == .valid }
            // It is kept: wanted again, it is there at once.
            try hosts.manager.setHosts(["a.example", "b.example", "c.example"])
            #expect(hosts.certificates.certificate(host: "a.example") != nil)
        }
        #expect(hosts.authority.issued.sorted() == ["a.example", "b.example", "c.example"])
        #expect(hosts.authority.state.withLock { $0.isShutDown })
    }

    @Test func `orders nothing anew after a restart`() async throws {
        let first = ManagedHosts()
        try first.manager.setHosts(["a.example"])
        try await first.running { await first.advance { first.status("a.example")?.state == .valid } }

        let second = ManagedHosts(storage: first.storage)
        try second.manager.setHosts(["a.example"])
        try await second.running {
            await second.manager.waitUntilLoaded()
            #expect(second.status("a.example")?.state == .valid)
            await second.clock.sleepers(atLeast: 1)
        }
        #expect(second.authority.state.withLock { $0.log.isEmpty })
        #expect(
            second.certificates.certificate(host: "a.example") == first.certificates.certificate(host: "a.example"))
    }

    @Test func `orders anew from another authority, and what has ended or is damaged`() async throws {
        let first = ManagedHosts()
        try first.manager.setHosts(["a.example", "b.example"])
        try await first.running {
            await first.advance { first.manager.status.allSatisfy { $0.state == .valid } }
        }
        first.storage.files.withLock { $0["certificates/b.example.json"] = Array("{".utf8) }

        let later = ManagedHosts(storage: first.storage, from: ManagedHosts.start.addingTimeInterval(91 * 86_400))
        try later.manager.setHosts(["a.example", "b.example"])
        try await later.running {
            await later.advance { later.manager.status.allSatisfy { $0.state == .valid } }
        }
        #expect(later.authority.issued.sorted() == ["a.example", "b.example"])
    }

    @Test func `renews when two thirds of the time are over`() async throws {
        let hosts = ManagedHosts()
        try hosts.manager.setHosts(["a.example"])
        try await hosts.running {
            await hosts.advance { hosts.status("a.example")?.state == .valid }
            let before = hosts.certificates.certificate(host: "a.example")
            await hosts.advance(by: .seconds(3_600)) { hosts.authority.issued.count == 2 }
            let age = hosts.now().timeIntervalSince(ManagedHosts.start) / 86_400
            #expect((56...59).contains(age), "\(age)")
            await hosts.advance { hosts.status("a.example")?.state == .valid }
            #expect(hosts.certificates.certificate(host: "a.example") != before)
        }
    }

    @Test func `renews when the authority says so, and says what it replaces`() async throws {
        var rules = FakeAuthority.Rules()
        let day: TimeInterval = 86_400
        rules.window = (
            ManagedHosts.start.addingTimeInterval(10 * day), ManagedHosts.start.addingTimeInterval(12 * day)
        )
        let hosts = ManagedHosts(rules)
        try hosts.manager.setHosts(["a.example"])
        try await hosts.running {
            await hosts.advance { hosts.status("a.example")?.state == .valid }
            await hosts.advance(by: .seconds(1_800)) { hosts.authority.issued.count == 2 }
            let age = hosts.now().timeIntervalSince(ManagedHosts.start) / day
            #expect((10.9...11.5).contains(age), "\(age)")
        }
        let (questions, replaced) = hosts.authority.state.withLock { ($0.questions, $0.replaced) }
        #expect(questions >= 40)
        #expect(replaced.count == 1 && replaced[0].hasPrefix("AQIDBA."))
    }

    @Test func `falls to the other challenge, and begins with it the next time`() async throws {
        var rules = FakeAuthority.Rules()
        rules.unprovable = ["a.example": ["http-01"]]
        let hosts = ManagedHosts(rules)
        try hosts.manager.setHosts(["a.example"])
        try await hosts.running {
            await hosts.advance { hosts.status("a.example")?.state == .valid }
            #expect(hosts.authority.state.withLock { $0.tried["a.example"] } == ["tls-alpn-01"])
            let requests = hosts.authority.state.withLock { $0.log.count { $0.hasPrefix("POST /chall/") } }
            #expect(requests == 2)
            hosts.manager.renew(host: "a.example")
            await hosts.advance { hosts.authority.issued.count == 2 }
            #expect(hosts.authority.state.withLock { $0.log.count { $0.hasPrefix("POST /chall/") } } == 3)
        }
    }

    @Test func `does not let one host's failure touch another`() async throws {
        var rules = FakeAuthority.Rules()
        rules.unprovable = ["bad.example": ["http-01", "tls-alpn-01"]]
        rules.refusals = [
            "banned.example": (403, "rejectedIdentifier", nil), "busy.example": (429, "rateLimited", "86400"),
        ]
        let hosts = ManagedHosts(rules) { $0.maxConcurrentOrders = 1 }
        try hosts.manager.setHosts(["bad.example", "banned.example", "busy.example", "good.example"])
        try await hosts.running {
            await hosts.advance {
                hosts.status("good.example")?.state == .valid
                    && hosts.manager.status.count { $0.failures > 0 } == 3
            }
            let bad = try #require(hosts.status("bad.example")?.lastError)
            #expect(bad.code == .challengeFailed && bad.message.contains("tls-alpn-01"))
            #expect(bad.problem?.detail == "wrong answer")
            #expect(hosts.status("banned.example")?.lastError?.problem?.name == "rejectedIdentifier")
            let busy = try #require(hosts.status("busy.example"))
            #expect(busy.lastError?.retryAfter == .seconds(86_400))
            #expect(busy.nextOrder.timeIntervalSince(hosts.now()) > 86_000)
            hosts.authority.change { $0 = FakeAuthority.Rules() }
            await hosts.advance(by: .seconds(60)) { hosts.status("bad.example")?.state == .valid }
            #expect(hosts.status("bad.example")?.lastError == nil)
        }
    }

    @Test func `gets along with a slow, forgetful and unreliable authority`() async throws {
        var rules = FakeAuthority.Rules()
        rules.slowness = 3
        rules.badNonces = 3
        rules.failures = 1
        let hosts = ManagedHosts(rules)
        try hosts.manager.setHosts(["a.example"])
        try await hosts.running {
            await hosts.advance(by: .seconds(30)) { hosts.status("a.example")?.state == .valid }
            // It has lost its accounts.
            hosts.authority.state.withLock { $0.accounts = [:] }
            hosts.manager.renew(host: "a.example")
            await hosts.advance { hosts.authority.issued.count == 2 }
        }
        #expect(hosts.status("a.example")?.failures == 0)
    }

    @Test func `orders many at once, but not too many`() async throws {
        let hosts = ManagedHosts { $0.maxConcurrentOrders = 3 }
        let names = (0..<20).map { "h\($0).example" }
        try hosts.manager.setHosts(names)
        try await hosts.running {
            await hosts.advance { hosts.authority.issued.count == 20 }
        }
        #expect(hosts.authority.state.withLock { $0.mostInFlight } <= 3)
        #expect(hosts.authority.state.withLock { $0.accounts.count } == 1)
    }

    @Test func `makes its account with what the user said`() async throws {
        var rules = FakeAuthority.Rules()
        rules.needsBinding = true
        let account = try ACMEExternalAccount(keyID: "kid", key: "c2VjcmV0")
        let hosts = ManagedHosts(rules) {
            $0.contact = ["mailto:a@example.com"]
            $0.externalAccount = account
        }
        try hosts.manager.setHosts(["a.example"])
        try await hosts.running { await hosts.advance { hosts.status("a.example")?.state == .valid } }
        #expect(hosts.authority.state.withLock { Array($0.contacts.values) } == [["mailto:a@example.com"]])
    }

    @Test func `does not agree to terms on its own, and does not pretend to be a customer`() async throws {
        for needsBinding in [false, true] {
            var rules = FakeAuthority.Rules()
            rules.needsBinding = needsBinding
            let hosts = ManagedHosts(rules) { $0.termsOfServiceAgreed = needsBinding }
            try hosts.manager.setHosts(["a.example"])
            try await hosts.running { await hosts.advance { hosts.status("a.example")?.failures == 1 } }
            let error = try #require(hosts.status("a.example")?.lastError)
            #expect(error.code == .invalidConfiguration)
            #expect(error.message.contains(needsBinding ? "customers" : "https://authority.test/terms"))
            #expect(hosts.authority.state.withLock { $0.accounts.isEmpty })
        }
    }

    @Test func `orders for hosts that clients ask for only if they are known`() async throws {
        let known = Mutex<Set<String>>(["known.example"])
        let policy = HostPolicy { host in known.withLock { $0.contains(host) } }
        let hosts = ManagedHosts(policy: policy)
        try await hosts.running {
            await hosts.clock.sleepers(atLeast: 1)
            for host in ["unknown.example", "known.example", "192.168.0.1", "known.example"] {
                hosts.manager.demanded(host)
            }
            await hosts.advance { hosts.status("known.example")?.state == .valid }
            #expect(hosts.manager.status.map(\.host) == ["known.example"])
            #expect(hosts.status("known.example")?.isOnDemand == true)
            // It is asked about again when it is renewed.
            known.withLock { $0 = [] }
            hosts.manager.renew(host: "known.example")
            // Also from the storage.
            await hosts.advance {
                hosts.manager.status.isEmpty
                    && hosts.storage.files.withLock { $0.keys.allSatisfy { $0.hasPrefix("accounts/") } }
            }
            #expect(hosts.certificates.certificate(host: "known.example") == nil)
        }
        #expect(hosts.authority.issued == ["known.example"])
    }

    @Test func `uses a certificate that it could not keep`() async throws {
        let hosts = ManagedHosts()
        try hosts.manager.setHosts(["a.example"])
        try await hosts.running {
            await hosts.authority.wait { $0.log.contains { $0.hasPrefix("POST /chall/") } }
            hosts.storage.failsToWrite.store(true, ordering: .relaxed)
            await hosts.advance { hosts.status("a.example")?.state == .valid }
            #expect(hosts.certificates.certificate(host: "a.example") != nil)
        }
    }

    @Test func `does not run without a place for its key, with nonsense, or twice`() async throws {
        let unkept = ManagedHosts()
        unkept.storage.failsToWrite.store(true, ordering: .relaxed)
        let storage = await #expect(throws: ACMEError.self) { try await unkept.manager.run() }
        #expect(storage?.code == .storage)
        let twice = await #expect(throws: ACMEError.self) { try await unkept.manager.run() }
        #expect(twice?.code == .alreadyRunning)
        let plain = ManagedHosts { $0.directory = "http://authority.test/directory" }
        let configuration = await #expect(throws: ACMEError.self) { try await plain.manager.run() }
        #expect(configuration?.code == .invalidConfiguration)
        #expect(throws: ACMEError.self) { try plain.manager.setHosts(["good.example", "*.example"]) }
        #expect(plain.manager.status.isEmpty)
    }
}
