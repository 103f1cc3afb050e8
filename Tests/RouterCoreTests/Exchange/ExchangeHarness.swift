import NIOCore

@testable import RouterCore

/// Plays both peers of an exchange machine, with bytes in pieces of a chosen size, and writes down what it did.
final class ExchangeHarness {
    /// What happens to an attempt to get a connection.
    enum Attempt: Equatable { case connected, reused, refused, none }

    var machine: ExchangeMachine
    var pieceSize: Int
    /// The outcomes of the attempts, in order; afterwards every one connects.
    var attempts: [Attempt] = []
    /// How the lookup of a host ends; nil routes it.
    var route: @Sendable (String) -> RouterErrorCode? = { _ in nil }

    var toClient: [UInt8] = []
    /// What was written to each connection to an instance.
    var toUpstream: [[UInt8]] = []
    var events: [String] = []
    var endings: [ExchangeEnding] = []

    init(
        pieceSize: Int = .max, trusted: Bool = false, bodyLimit: Int = 1 << 20,
        clientDialect: ExchangeMachine.Dialect = .http1, upstreamDialect: ExchangeMachine.Dialect = .http1,
        configure: (inout Router.Configuration) -> Void = { _ in }
    ) {
        var configuration = Router.Configuration()
        configure(&configuration)
        self.pieceSize = pieceSize
        self.bodyLimit = bodyLimit
        self.upstreamDialect = upstreamDialect
        self.machine = ExchangeMachine(
            settings: configuration.exchangeSettings,
            facts: ConnectionFacts(
                client: ClientAddress("203.0.113.9") ?? .unknown, isTrusted: trusted, scheme: "http", port: 80,
                pseudonym: "test"),
            random: LoopRandom(seed: 1), clientDialect: clientDialect)
    }

    let bodyLimit: Int
    let upstreamDialect: ExchangeMachine.Dialect

    func client(_ text: String) { self.client(Array(text.utf8)) }

    func client(_ bytes: [UInt8]) {
        for piece in self.pieces(bytes) {
            self.machine.clientBytes(piece)
            self.settle()
        }
    }

    func clientHead(_ text: String, ends: Bool = false) {
        self.machine.clientHead(
            ExchangeMachine.FramedHead(
                text: ByteBuffer(string: text), ends: ends, hasLength: text.lowercased().contains("content-length")))
        self.settle()
    }

    func clientTrailers(_ text: String) {
        self.machine.clientTrailers(ByteBuffer(string: text))
        self.settle()
    }

    func upstreamHead(_ text: String, ends: Bool = false) {
        self.machine.upstreamHead(
            ExchangeMachine.FramedHead(
                text: ByteBuffer(string: text), ends: ends, hasLength: text.lowercased().contains("content-length")))
        self.settle()
    }

    func upstreamTrailers(_ text: String) {
        self.machine.upstreamTrailers(ByteBuffer(string: text))
        self.settle()
    }

    func upstream(_ text: String) { self.upstream(Array(text.utf8)) }

    func upstream(_ bytes: [UInt8]) {
        for piece in self.pieces(bytes) {
            self.machine.upstreamBytes(piece)
            self.settle()
        }
    }

    func clientEnds() {
        self.machine.clientEOF()
        self.settle()
    }

    func upstreamEnds(broke: Bool = false) {
        self.machine.upstreamEOF(broke: broke)
        self.settle()
    }

    func timesOut() {
        self.machine.timedOut()
        self.settle()
    }

    private func pieces(_ bytes: [UInt8]) -> [ByteBuffer] {
        stride(from: 0, to: bytes.count, by: min(max(bytes.count, 1), self.pieceSize)).map { start in
            ByteBuffer(bytes: bytes[start..<min(bytes.count, start + min(bytes.count, self.pieceSize))])
        }
    }

    func settle() {
        while let action = self.machine.nextAction() {
            switch action {
            case .toClient(let bytes): self.toClient += Array(bytes.readableBytesView)
            case .headToClient(let bytes, let ends):
                self.toClient += Array(bytes.readableBytesView)
                if ends { self.events.append("client end") }
            case .headToUpstream(let bytes, let ends):
                self.toUpstream[self.toUpstream.count - 1] += Array(bytes.readableBytesView)
                if ends { self.events.append("upstream end") }
            case .endToClient(let trailers):
                self.events.append("client end")
                self.toClient += Array(trailers.readableBytesView)
            case .endToUpstream(let trailers):
                self.events.append("upstream end")
                self.toUpstream[self.toUpstream.count - 1] += Array(trailers.readableBytesView)
            case .toUpstream(let bytes): self.toUpstream[self.toUpstream.count - 1] += Array(bytes.readableBytesView)
            case .route:
                let host = self.machine.withRequest { String(decoding: $0.host, as: UTF8.self) }
                self.events.append("route \(host)")
                if let code = self.route(host) {
                    self.machine.refuse(OwnAnswer(code))
                } else {
                    self.machine.accept(
                        startMilliseconds: 1000, bodyLimit: self.bodyLimit, dialect: self.upstreamDialect)
                }
            case .acquire(let acquisition): self.acquire(acquisition)
            case .streaming: self.events.append("streaming")
            case .tunnel: self.events.append("tunnel")
            case .halfCloseUpstream: self.events.append("end upstream")
            case .halfCloseClient: self.events.append("end client")
            case .ended(let ending):
                self.endings.append(ending)
                self.events.append(
                    "ended \(ending.status) \(ending.code?.rawValue ?? "-")\(ending.reusesUpstream ? " reuse" : "")")
            case .closeClient: self.events.append("close client")
            }
        }
    }

    private func acquire(_ acquisition: ExchangeAction.Acquisition) {
        self.events.append("acquire \(acquisition)")
        switch self.attempts.isEmpty ? .connected : self.attempts.removeFirst() {
        case .connected:
            self.toUpstream.append([])
            self.machine.upstreamReady(reused: false)
        case .reused:
            self.toUpstream.append([])
            self.machine.upstreamReady(reused: true)
        case .refused: self.machine.connectFailed()
        case .none: break
        }
    }

    var wantsClientBytes: Bool { self.machine.wantsClientBytes }
    var waiting: ExchangeMachine.Waiting { self.machine.waiting }

    /// The last instance's view of the request, as text.
    var sent: String { String(decoding: self.toUpstream.last ?? [], as: UTF8.self) }
    /// The client's view of the responses, as text; without the date that is added to those that have none.
    var received: String {
        String(decoding: self.toClient, as: UTF8.self).split(
            separator: "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", omittingEmptySubsequences: false
        ).joined()
    }
}

extension String {
    /// The status codes of the responses in this text.
    var statuses: [Int] {
        self.split(separator: "HTTP/1.1 ", omittingEmptySubsequences: false).dropFirst().compactMap {
            Int($0.prefix(3))
        }
    }
}
