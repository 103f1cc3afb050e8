import Foundation
import Testing

@testable import RouterCore

/// One way in which a client does what it should not, or need not.
struct ClientMisbehaviour: Sendable, CustomTestStringConvertible {
    var name: String
    /// What the instance meets each time, besides `/ok`; what is not named must not happen.
    var meets: [String: Int] = [:]
    /// How long the instance may be silent.
    var firstByte: Duration = .seconds(60)
    /// How long the client may take nothing, in milliseconds.
    var clientStall = 20_000
    var script: @Sendable (ClientScene) throws -> Void

    var testDescription: String { self.name }

    static let outcomes = ["whole", "cut", "aborted", "tunnel ended"]

    static let all =
        unfinishedHeads + unfinishedBodies + unreadAnswers + pipelines + upgrades + frames + handshakes
}

@Suite(.timeLimit(.minutes(1)), .serialized) struct `A client that misbehaves` {
    private static let rounds = 2

    @Test(arguments: Driver.allCases, ClientMisbehaviour.all)
    func `harms nobody else and leaves nothing behind`(driver: Driver, misbehaviour: ClientMisbehaviour) async throws {
        let notes = Notes()
        let instance = try NotingInstance.make(notes)
        var settings = TLSSettings()
        settings.handshakeTimeout = .milliseconds(300)
        let certificates = CertificateStore(settings: settings)
        try certificates.setDefault(TestAuthority().issue(["a"]).certificate)
        try await withRouter(
            driver,
            configure: {
                $0.listeners.append(.init(host: "127.0.0.1", port: 0, security: .tls))
                $0.timerResolution = .milliseconds(10)
                $0.headTimeout = .milliseconds(300)
                $0.bodyIdleTimeout = .milliseconds(300)
                $0.lingerTimeout = .milliseconds(200)
                $0.clientStallTimeout = .milliseconds(misbehaviour.clientStall)
            }, certificates: certificates
        ) { router, port in
            let secure = Int(try await router.listening()[1].split(separator: ":").last ?? "") ?? 0
            let before = openDescriptors()
            try router.setPorts([instance.port]) {
                $0.timeouts.firstByte = misbehaviour.firstByte
                $0.maxRequestBodyBytes = 1_000_000
            }
            try await onThread {
                // Some on each loop.
                let others = try (0..<4).map { _ in try ScriptSocket(port: port) }
                defer { for other in others { other.end() } }
                for round in 0..<Self.rounds {
                    try Self.ask(others)
                    try misbehaviour.script(
                        ClientScene(port: port, securePort: secure, notes: notes, round: round))
                    try Self.ask(others)
                }
                for (name, count) in misbehaviour.meets { try notes.wait(for: name, count: count * Self.rounds) }
            }
            try await router.expectNothingIsLeft(port: port, instances: [instance.port])
            #expect(
                await eventually { openDescriptors() < before + Self.rounds },
                "\(before) descriptors before, then \(openDescriptors())")
        }
        await instance.stop()
        for name in ClientMisbehaviour.outcomes {
            #expect(notes[name] == misbehaviour.meets[name, default: 0] * Self.rounds, "\(name)")
        }
    }

    private static func ask(_ clients: [ScriptSocket]) throws {
        for client in clients { try client.write("GET /ok HTTP/1.1\r\nHost: a\r\n\r\n") }
        for client in clients {
            let head = try client.readMessage().head
            #expect(head.hasPrefix("HTTP/1.1 200 "), "\(head)")
        }
    }

    /// More than a loop takes in one turn, and more than once as many as the listener's backlog.
    @Test(
        arguments: Driver.allCases,
        ["", "GET /hold HT", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel"])
    func `by the thousand does no more harm`(driver: Driver, bytes: String) async throws {
        let notes = Notes()
        let instance = try NotingInstance.make(notes)
        try await withRouter(driver) { router, port in
            let before = openDescriptors()
            // Unfinished requests take places, too.
            try router.setPorts([instance.port]) { $0.backends[0].maxInFlight = 1000 }
            try await onThread {
                let other = try ScriptSocket(port: port)
                defer { other.end() }
                for wave in 0..<10 {
                    let clients = try (0..<150).map { _ in try ScriptSocket(port: port) }
                    for client in clients { try client.write(bytes) }
                    try Self.ask([other])
                    for client in clients { if wave.isMultiple(of: 2) { client.end() } else { client.reset() } }
                    try Self.ask([other])
                }
            }
            try await router.expectNothingIsLeft(port: port, instances: [instance.port])
            #expect(
                await eventually { openDescriptors() < before + 10 },
                "\(before) descriptors before, then \(openDescriptors())")
        }
        await instance.stop()
        #expect(notes["whole"] == 0)
    }
}
