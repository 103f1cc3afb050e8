import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import RouterACME
@testable import RouterCore

/// Against a real ACME server, which connects to real ports.
@Suite(
    .enabled(if: Pebble.isInstalled, "pebble is not installed (apt install pebble)"), .serialized,
    .timeLimit(.minutes(2)))
struct `A real authority` {
    @Test(arguments: [ACMEChallengeKind.http01, .tlsALPN01])
    func `issues and renews by each challenge`(kind: ACMEChallengeKind) async throws {
        try await withTemporaryDirectory { directory in
            try await Site.with(answersHTTP: kind == .http01, answersTLS: kind == .tlsALPN01) { site in
                try await Pebble.with(httpPort: site.httpPort, tlsPort: site.httpsPort, in: directory) { pebble in
                    let root = try await pebble.issuer()
                    let storage = directory.appending("acme")
                    let hosts = ["shop.example.com"]
                    let last = try await site.managing(
                        pebble, storage: storage, hosts: hosts, { $0.challenges = [kind] }
                    ) { manager, changes in
                        #expect(await changes.wait(count: 1).map(\.state) == [.valid])
                        let first = try #require(site.certificates.certificate(host: "shop.example.com"))
                        #expect(try await site.get(host: "shop.example.com", trusting: root, in: directory) == "hello")
                        manager.renew(host: "shop.example.com")
                        #expect(await changes.wait(count: 2).map(\.state) == [.valid, .valid])
                        let second = try #require(site.certificates.certificate(host: "shop.example.com"))
                        #expect(first != second)
                        #expect(try await site.get(host: "shop.example.com", trusting: root, in: directory) == "hello")
                        return second
                    }
                    site.certificates.remove(hosts: hosts)
                    // After a restart it is there, and nothing is ordered.
                    try await site.managing(pebble, storage: storage, hosts: hosts) { manager, _ in
                        while manager.status.first?.state != .valid { await Task.yield() }
                        #expect(site.certificates.certificate(host: "shop.example.com") == last)
                    }
                }
            }
        }
    }

    @Test func `is answered by the other challenge when one fails, and told apart by host`() async throws {
        try await withTemporaryDirectory { directory in
            try await Site.with(answersHTTP: false) { site in
                try await Pebble.with(
                    httpPort: site.httpPort, tlsPort: site.httpsPort, in: directory, rejectedNonces: 30
                ) { pebble in
                    let hosts = (1...5).map { "h\($0).example.com" } + ["localhost.invalid"]
                    try await site.managing(pebble, storage: directory.appending("acme"), hosts: hosts) { _, changes in
                        let ended = await changes.wait(count: 6)
                        for host in hosts.dropLast() {
                            #expect(ended.first { $0.host == host }?.state == .valid, "\(ended)")
                        }
                    }
                    // Proved by TLS-ALPN-01 alone, the next order begins with it.
                    let records = RecordStore(
                        storage: DirectoryACMEStorage(directory: directory.appending("acme")),
                        directory: pebble.directory)
                    let kinds = try await records.certificates().records.filter { $0.host.hasPrefix("h") }
                    #expect(kinds.map(\.challenge) == Array(repeating: .tlsALPN01, count: 5))
                }
            }
        }
    }

    @Test func `says what is wrong with a host that it cannot reach`() async throws {
        try await withTemporaryDirectory { directory in
            try await Site.with(answersHTTP: false, answersTLS: false) { site in
                try await Pebble.with(httpPort: site.httpPort, tlsPort: site.httpsPort, in: directory) { pebble in
                    let hosts = ["shop.example.com"]
                    try await site.managing(pebble, storage: directory.appending("acme"), hosts: hosts) { _, changes in
                        let status = try #require(await changes.wait(count: 1).first)
                        #expect(status.state == .failing && status.failures == 1)
                        let error = try #require(status.lastError)
                        #expect(error.code == .challengeFailed && error.challenge == .http01, "\(error)")
                        #expect(error.problem?.name == "unauthorized", "\(error)")
                        #expect(error.message.contains("tls-alpn-01"), "\(error)")
                    }
                }
            }
        }
    }

    @Test func `is not trusted without its root`() async throws {
        try await withTemporaryDirectory { directory in
            try await Site.with { site in
                try await Pebble.with(httpPort: site.httpPort, tlsPort: site.httpsPort, in: directory) { pebble in
                    // A connection that cannot be had is tried again for as long.
                    var configuration = HTTPACMETransport.Configuration()
                    configuration.connectTimeout = .seconds(1)
                    let transport = try HTTPACMETransport(configuration: configuration)
                    let client = ACMEClient(
                        directoryURL: pebble.directory, key: AccountKey(), account: nil, transport: transport,
                        now: { .now })
                    let error = await #expect(throws: ACMEError.self) { _ = try await client.directory() }
                    #expect(error?.code == .unreachable && error?.cause != nil)
                    await transport.shutDown()
                    let closed = await #expect(throws: ACMEError.self) { _ = try await client.directory() }
                    #expect(closed?.code == .unreachable)
                }
            }
        }
    }

    @Test func `takes its customers' accounts`() async throws {
        try await withTemporaryDirectory { directory in
            try await Site.with { site in
                let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
                try await Pebble.with(
                    httpPort: site.httpPort, tlsPort: site.httpsPort, in: directory, accounts: ["kid-1": key]
                ) { pebble in
                    let hosts = ["shop.example.com"]
                    try await site.managing(pebble, storage: directory.appending("none"), hosts: hosts) { _, changes in
                        let error = await changes.wait(count: 1).first?.lastError
                        #expect(error?.code == .invalidConfiguration, "\(String(describing: error))")
                    }
                    let account = try ACMEExternalAccount(keyID: "kid-1", key: key)
                    try await site.managing(
                        pebble, storage: directory.appending("acme"), hosts: hosts,
                        {
                            $0.externalAccount = account
                            $0.contact = ["mailto:admin@example.com"]
                        }
                    ) { _, changes in
                        let status = await changes.wait(count: 1).first
                        #expect(status?.state == .valid, "\(String(describing: status))")
                    }
                }
            }
        }
    }

    @Test func `is asked when a client asks for a host that is known`() async throws {
        try await withTemporaryDirectory { directory in
            try await Site.with { site in
                try await Pebble.with(httpPort: site.httpPort, tlsPort: site.httpsPort, in: directory) { pebble in
                    let root = try await pebble.issuer()
                    try await site.managing(
                        pebble, storage: directory.appending("acme"), hosts: [],
                        policy: HostPolicy { $0 == "known.example.com" }
                    ) { manager, changes in
                        // The manager listens for hosts once it runs; until then nobody hears the knocking.
                        while !site.certificates.reportsMissingHosts { await Task.yield() }
                        for host in ["unknown.example.com", "known.example.com"] {
                            _ = try await site.get(host: host, trusting: root, in: directory)
                        }
                        #expect(await changes.wait(count: 1).map(\.host) == ["known.example.com"])
                        let answer = try await site.get(host: "known.example.com", trusting: root, in: directory)
                        #expect(answer == "hello")
                        #expect(manager.status.map(\.host) == ["known.example.com"])
                    }
                }
            }
        }
    }
}
