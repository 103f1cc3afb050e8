/// The client of a case: does what the script says, and takes the answers apart.
struct ScriptedClient {
    enum Ending: String, Sendable {
        case closed, kept
        /// The client itself has gone.
        case left
        /// The connection speaks another protocol.
        case tunnel
        /// Nothing came any more, although something had to.
        case silent
    }

    private let connection: WireConnection
    private let session: CaseSession
    /// Which requests are HEAD, in so far as that can be told: their answers have no body.
    private let areHead: [Bool]
    private var offset = 0
    private var search = 0
    private var finals = 0
    private var isStalled = false
    private var hasEnded = false
    private var hasLeft = false
    private var isTunnel = false
    private(set) var answers: [SeenMessage] = []
    private(set) var problems: [String] = []

    init(_ connection: WireConnection, _ session: CaseSession, steps: [ScriptStep]) {
        self.connection = connection
        self.session = session
        self.areHead = steps.flatMap { step -> [Bool] in
            guard case .send(let bytes) = step else { return [] }
            // A body may stand right before the request line.
            return CaseText.latin1(bytes.prefix(8192)).split(separator: "\r\n")
                .filter { $0.contains(" HTTP/1.") }
                .map { $0.contains("HEAD ") }
        }
    }

    mutating func play(_ steps: [ScriptStep]) async {
        for step in steps {
            guard !self.isStalled, await self.perform(step) else { return }
        }
    }

    /// False when the script has come to its end.
    private mutating func perform(_ step: ScriptStep) async -> Bool {
        switch step {
        case .send(let bytes): await self.connection.send(bytes)
        case .awaitAnswer:
            let finals = self.finals
            while self.finals == finals, await self.nextAnswer() != nil {}
            return self.finals > finals
        case .awaitInterim(let status):
            guard let answer = await self.nextAnswer() else { return false }
            guard answer.status == status else {
                // A client that is refused does not send what it has asked leave for.
                if answer.isFinal { await self.leave() }
                return false
            }
        case .awaitBytes(let bytes):
            let search = max(self.search, self.offset)
            _ = await self.connection.received.wait(atMost: self.session.limit) { received in
                received.isEnded || received.bytes[search...].firstRange(of: bytes) != nil
            }
            guard let range = self.connection.received.value.bytes[search...].firstRange(of: bytes) else {
                self.session.stall("the client does not get '\(CaseText.readable(bytes))'")
                return false
            }
            self.search = range.upperBound
        case .awaitEnd:
            guard await self.connection.received.wait(atMost: self.session.limit, until: \.isEnded) else {
                self.session.stall("the client's connection does not end")
                return false
            }
        case .end:
            self.hasEnded = true
            await self.connection.end()
        case .close: await self.leave()
        case .reset:
            self.hasLeft = true
            await self.connection.reset()
        case .signal(let name): self.session.signal(name)
        case .wait(let name): return await self.session.wait(forSignal: name)
        case .takeHead, .takeRequest, .sendContinue: return false
        }
        return true
    }

    private mutating func leave() async {
        self.hasLeft = true
        await self.connection.close()
    }

    /// Collects the remaining answers and finds out what becomes of the connection, by a further request if need be.
    mutating func finish(expecting count: Int, probe number: Int) async -> Ending {
        if self.hasLeft { return .left }
        while self.finals < count, await self.nextAnswer() != nil {}
        if self.isTunnel { return .tunnel }
        if self.isStalled { return .silent }
        let announced = self.answers.last(where: \.isFinal)?.announcesClose == true
        if announced {
            // A proxy may wait for the client's goodbye before it closes.
            await self.connection.end()
        } else if !self.hasEnded {
            await self.connection.send(Probe.request(number))
        }
        while let answer = await self.nextAnswer() {
            if Probe.isAnswer(answer, to: number) {
                self.answers.removeLast()
                return .kept
            }
        }
        return self.isStalled ? .silent : .closed
    }

    func close() async { await self.connection.close() }

    /// The next answer, interim or final; nil when there is none.
    private mutating func nextAnswer() async -> SeenMessage? {
        guard !self.isTunnel, !self.isStalled else { return nil }
        let start = self.offset
        let toHead = self.finals < self.areHead.count && self.areHead[self.finals]
        let came = await self.connection.received.wait(atMost: self.session.limit) { received in
            guard !received.isEnded else { return true }
            let answer = SeenMessage.answer(received.bytes[start...], ended: false, toHead: toHead)
            return answer?.body.isComplete == true || answer?.body.problem != nil
        }
        let received = self.connection.received.value
        guard came else {
            self.isStalled = true
            let rest = received.bytes[start...]
            self.session.stall(
                rest.isEmpty ? "no answer comes" : "no whole answer comes, but '\(CaseText.readable(rest))'")
            return nil
        }
        let isWhole = received.isEnded && !received.isReset
        guard let answer = SeenMessage.answer(received.bytes[start...], ended: isWhole, toHead: toHead) else {
            let rest = received.bytes[start...]
            if !rest.isEmpty { self.problems.append("the client gets '\(CaseText.readable(rest))'") }
            return nil
        }
        self.offset += answer.wire.count
        self.answers.append(answer)
        if answer.isFinal { self.finals += 1 }
        if answer.status == 101 { self.isTunnel = true }
        return answer.body.problem == nil ? answer : nil
    }
}
