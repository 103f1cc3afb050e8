import NIOCore

/// Plays both peers of an exchange machine and holds what it writes to the strict reading of the RFCs.
final class Exchanges {
    private(set) var machine: ExchangeMachine
    /// What each connection to an instance was sent.
    private(set) var instances: [StrictReader] = []
    private(set) var toClient: [UInt8] = []
    private(set) var endings: [ExchangeEnding] = []
    private(set) var isClosed = false
    /// Answers every request that is whole.
    let answers: Bool
    private var routed = 0
    private var isTunnel = false

    init(answers: Bool) {
        self.answers = answers
        self.machine = ExchangeMachine(
            settings: ExchangeMachine.Settings(
                requestHead: HeadScanner.Limits(
                    firstLine: 1024, firstLineCode: .uriTooLong, fields: 4096, fieldCount: 50,
                    fieldsCode: .headersTooLarge, malformedCode: .badRequest),
                responseHead: HeadScanner.Limits(
                    firstLine: 1024, firstLineCode: .upstreamInvalid, fields: 4096, fieldCount: 50,
                    fieldsCode: .upstreamInvalid, malformedCode: .upstreamInvalid),
                replayBytes: 512, retries: 3, backlogBytes: 65_536),
            facts: ConnectionFacts(
                client: ClientAddress("203.0.113.9") ?? .unknown, isTrusted: false, scheme: "http", port: 80,
                pseudonym: "fuzz"),
            random: LoopRandom(seed: 1))
    }

    func client(_ bytes: some Collection<UInt8>) { self.tell { $0.clientBytes(ByteBuffer(bytes: bytes)) } }
    func upstream(_ bytes: some Collection<UInt8>) { self.tell { $0.upstreamBytes(ByteBuffer(bytes: bytes)) } }

    func tell(_ event: (inout ExchangeMachine) -> Void) {
        event(&self.machine)
        self.settle()
        self.machine.releaseInput()
    }

    private func settle() {
        var steps = 0
        while let action = self.machine.nextAction() {
            steps += 1
            require(steps < 100_000, "it never rests")
            switch action {
            case .toClient(let bytes): self.toClient += bytes.readableBytesView
            case .toUpstream(let bytes): self.forward(bytes)
            case .route:
                self.routed += 1
                self.machine.accept(startMilliseconds: 1000, bodyLimit: 100_000)
            case .acquire:
                self.instances.append(StrictReader(.request))
                self.machine.upstreamReady(reused: self.instances.count % 3 == 2)
            case .tunnel: self.isTunnel = true
            case .streaming, .halfCloseUpstream, .halfCloseClient: break
            case .ended(let ending):
                self.endings.append(ending)
                self.isTunnel = false
                require(!ending.reusesUpstream || self.instances.last?.isInside != true, "a used connection is kept")
            case .closeClient:
                require(!self.isClosed, "it closes twice")
                self.isClosed = true
            case .headToUpstream, .headToClient, .endToUpstream, .endToClient:
                fatalError("frames")
            }
        }
    }

    private func forward(_ bytes: ByteBuffer) {
        // What goes through a tunnel is none of HTTP's business.
        guard !self.isTunnel, !self.instances.isEmpty else { return }
        let last = self.instances.count - 1
        do {
            try self.instances[last].read(bytes.readableBytesView)
        } catch {
            fatalError("forwarded \(error): \(String(buffer: bytes))")
        }
        require(self.instances[last].messages.count <= 1, "two requests for one: \(self.instances[last].messages)")
        if self.instances[last].messages.count == 1 {
            require(!self.instances[last].isInside, "more than a request: \(self.instances[last].messages)")
            if self.answers {
                self.machine.upstreamBytes(ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
            }
        }
    }

    /// The requests that instances got whole.
    var requests: [StrictReader.Message] { self.instances.flatMap(\.messages) }

    /// The final answers' statuses.
    var statuses: [Int] { self.endings.map(\.status) }
}
