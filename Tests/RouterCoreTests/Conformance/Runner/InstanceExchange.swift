/// One request at the instance, and what it does with it.
struct InstanceExchange {
    private let connection: WireConnection
    private let session: CaseSession
    /// Where the request starts in what the connection has received.
    private let start: Int
    private let index: Int
    private var search: Int
    private var hasTaken = false
    private var isTunnel = false

    init(_ connection: WireConnection, _ session: CaseSession, _ request: SeenMessage, at start: Int) {
        self.connection = connection
        self.session = session
        self.start = start
        self.search = start + request.head.length
        self.index = session.state.update { state in
            state.requests.append((request, false))
            state.busy[ObjectIdentifier(connection)] = connection
            return state.requests.count - 1
        }
    }

    /// Returns how many bytes the request took, or nil when the connection carries no further one.
    mutating func play() async -> Int? {
        for step in self.session.script(forRequest: self.index) ?? self.usualScript {
            guard await self.perform(step) else { return self.settle(andContinue: false) }
        }
        if self.isTunnel {
            _ = await self.connection.received.wait(atMost: self.session.limit) { $0.isEnded }
            return self.settle(andContinue: false)
        }
        await self.takeRequest()
        return self.settle(andContinue: true)
    }

    private var usualScript: [ScriptStep] {
        let line = self.session.state.value.requests[self.index].message.head.firstLine
        let text = line.split(separator: " ").prefix(2).joined(separator: " ")
        let head = "HTTP/1.1 200 OK\r\nContent-Length: \(text.unicodeScalars.count)\r\n\r\n"
        let body = line.hasPrefix("HEAD ") ? "" : text
        return [.takeRequest, .send((head + body).unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) })]
    }

    /// False when the script cannot go on.
    private mutating func perform(_ step: ScriptStep) async -> Bool {
        switch step {
        case .takeHead:
            self.hasTaken = true
        case .takeRequest:
            return await self.takeRequest()
        case .send(let bytes):
            if !self.hasTaken { guard await self.takeRequest() else { return false } }
            if bytes.starts(with: Array("HTTP/1.1 101".utf8)) { self.isTunnel = true }
            await self.connection.send(bytes)
        case .sendContinue:
            if self.current?.head.has("Expect", option: "100-continue") == true {
                await self.connection.send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
            }
        case .awaitBytes(let bytes):
            let search = self.search
            _ = await self.connection.received.wait(atMost: self.session.limit) { received in
                received.isEnded || received.bytes[search...].firstRange(of: bytes) != nil
            }
            guard let range = self.connection.received.value.bytes[search...].firstRange(of: bytes) else {
                self.session.stall("the instance does not get '\(CaseText.readable(bytes))'")
                return false
            }
            self.search = range.upperBound
        case .awaitEnd:
            guard await self.connection.received.wait(atMost: self.session.limit, until: \.isEnded) else {
                self.session.stall("the instance's connection does not end")
                return false
            }
        case .end, .close, .reset:
            if !self.hasTaken { guard await self.takeRequest() else { return false } }
            switch step {
            case .end: await self.connection.end()
            case .close: await self.connection.close()
            default: await self.connection.reset()
            }
        case .signal(let name):
            if !self.hasTaken { guard await self.takeRequest() else { return false } }
            self.session.signal(name)
        case .wait(let name):
            if !self.hasTaken { guard await self.takeRequest() else { return false } }
            return await self.session.wait(forSignal: name)
        case .awaitAnswer, .awaitInterim:
            return false
        }
        return true
    }

    /// Waits for the end of the request; false when it does not come.
    @discardableResult
    private mutating func takeRequest() async -> Bool {
        self.hasTaken = true
        let start = self.start
        _ = await self.connection.received.wait(atMost: self.session.limit) { received in
            guard !received.isEnded else { return true }
            let request = SeenMessage.request(received.bytes[start...], ended: false)
            return request?.body.isComplete == true || request?.body.problem != nil
        }
        guard let request = self.current else { return false }
        self.session.state.update { [index] in $0.requests[index].message = request }
        return request.body.isComplete
    }

    private var current: SeenMessage? {
        let received = self.connection.received.value
        return SeenMessage.request(received.bytes[self.start...], ended: received.isEnded)
    }

    private func settle(andContinue: Bool) -> Int? {
        let request = self.current
        self.session.state.update { [index, connection] state in
            if let request { state.requests[index].message = request }
            state.requests[index].isSettled = true
            state.busy[ObjectIdentifier(connection)] = nil
        }
        guard andContinue, let request, request.body.isComplete else { return nil }
        return request.wire.count
    }
}
