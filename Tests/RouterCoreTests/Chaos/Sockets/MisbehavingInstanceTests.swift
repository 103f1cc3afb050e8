import Testing

@testable import RouterCore

/// One way in which an instance does what it should not, and what the client gets.
struct Misbehaviour: Sendable, CustomTestStringConvertible {
    enum Outcome: Sendable {
        /// A whole answer.
        case answer(Int, containing: String = "")
        /// An answer that ends before it is whole, so that nobody takes it for one.
        case brokenOff(after: String)
    }

    var name: String
    var request = "GET /odd HTTP/1.1\r\nHost: a\r\n\r\n"
    var outcome: Outcome
    /// How many times the instance gets the request.
    var attempts: ClosedRange<Int> = 1...1
    var script: @Sendable (ScriptSocket) throws -> Void

    var testDescription: String { self.name }
}

private let get = "GET /odd HTTP/1.1\r\nHost: a\r\n\r\n"
private let post = "POST /odd HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
/// More than the kernel and the router hold between them.
private let upload = "POST /odd HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n"
private let large = String(repeating: "x", count: 300_000)

private let misbehaviours: [Misbehaviour] = [
    // Ends of connections.
    Misbehaviour(name: "closes after the head of a GET", outcome: .answer(503), attempts: 1...4) { $0.end() },
    Misbehaviour(name: "resets after the head of a GET", outcome: .answer(503), attempts: 1...4) { $0.reset() },
    Misbehaviour(name: "closes after a POST", request: post, outcome: .answer(502, containing: "upstream-broke")) {
        $0.end()
    },
    Misbehaviour(name: "resets after a POST", request: post, outcome: .answer(502, containing: "upstream-broke")) {
        $0.reset()
    },
    Misbehaviour(name: "closes in the response's head", outcome: .answer(502, containing: "upstream-broke")) {
        try $0.write("HTTP/1.1 200 OK\r\nContent-Le")
    },
    Misbehaviour(name: "resets in the response's head", outcome: .answer(502)) {
        try $0.write("HTTP/1.1 200 OK\r\nContent-Le")
        $0.reset()
    },
    Misbehaviour(name: "closes in a body with a length", outcome: .brokenOff(after: "\r\n\r\nabc")) {
        try $0.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    },
    Misbehaviour(name: "closes in a chunk", outcome: .brokenOff(after: "abc")) {
        try $0.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\nabc")
    },
    Misbehaviour(name: "closes between chunks", outcome: .brokenOff(after: "3\r\nabc\r\n")) {
        try $0.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    },
    Misbehaviour(name: "closes before the trailers' end", outcome: .brokenOff(after: "0\r\n")) {
        try $0.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n")
    },
    // Early answers.
    Misbehaviour(
        name: "answers before the body and closes", request: upload, outcome: .answer(413, containing: "enough")
    ) {
        try $0.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 6\r\nConnection: close\r\n\r\nenough")
    },
    Misbehaviour(
        name: "answers much before the body and closes", request: upload, outcome: .answer(413, containing: large)
    ) {
        try $0.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 300000\r\n\r\n" + large)
        try $0.waitUntilDelivered()
    },
    Misbehaviour(
        name: "answers before the body, ends its side and reads on", request: upload, outcome: .answer(413)
    ) {
        try $0.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 6\r\n\r\nenough")
        $0.finishWriting()
        _ = $0.readToEnd()
    },
    Misbehaviour(
        name: "answers before the body and reads on", request: post, outcome: .answer(200, containing: "early")
    ) {
        try $0.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
        _ = $0.readToEnd()
    },
    // What is no answer.
    Misbehaviour(name: "answers garbage", outcome: .answer(502, containing: "upstream-invalid")) {
        try $0.write("SSH-2.0-OpenSSH_9.2\r\n\r\n")
        _ = $0.readToEnd()
    },
    Misbehaviour(name: "answers a head that never ends", outcome: .answer(502, containing: "upstream-invalid")) {
        try $0.write("HTTP/1.1 200 OK\r\n")
        for _ in 0..<10_000 { try $0.write("X: 0123456789\r\n") }
    },
    Misbehaviour(name: "answers a line that never ends", outcome: .answer(502, containing: "upstream-invalid")) {
        for _ in 0..<1000 { try $0.write(String(repeating: "H", count: 1000)) }
    },
    Misbehaviour(name: "answers a bad chunk", outcome: .brokenOff(after: "\r\n")) {
        try $0.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
        _ = $0.readToEnd()
    },
    Misbehaviour(name: "answers twice", outcome: .answer(200, containing: "one")) {
        try $0.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo")
        _ = $0.readToEnd()
    },
    // Time.
    Misbehaviour(name: "answers byte by byte", outcome: .answer(200, containing: "slowly")) {
        for byte in Array("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nslowly".utf8) { try $0.write([byte]) }
    },
    Misbehaviour(
        name: "answers chunks byte by byte", outcome: .answer(200, containing: "slowly")
    ) {
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nslow\r\n2\r\nly\r\n0\r\nA: b\r\n\r\n"
        for byte in Array(answer.utf8) { try $0.write([byte]) }
    },
    Misbehaviour(name: "answers nothing", outcome: .answer(504, containing: "upstream-timeout")) {
        _ = $0.readToEnd()
    },
    Misbehaviour(name: "stops in the head", outcome: .answer(504, containing: "upstream-timeout")) {
        try $0.write("HTTP/1.1 200 OK\r\nConte")
        _ = $0.readToEnd()
    },
    Misbehaviour(name: "stops in the body", outcome: .brokenOff(after: "abc")) {
        try $0.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        _ = $0.readToEnd()
    },
    Misbehaviour(name: "reads no body", request: upload, outcome: .answer(504, containing: "upstream-timeout")) {
        // Until the router has given up.
        try $0.waitForHangUp()
    },
]

@Suite(.timeLimit(.minutes(1))) struct `An instance that misbehaves` {
    @Test(arguments: Driver.allCases, misbehaviours)
    func `harms its own request alone`(driver: Driver, misbehaviour: Misbehaviour) async throws {
        let attempts = Tally()
        let instance = try ScriptedInstance { socket, _ in
            while true {
                let head = try socket.read(until: "\r\n\r\n")
                if head.hasPrefix("GET /ok ") {
                    try socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                } else {
                    attempts.count()
                    return try misbehaviour.script(socket)
                }
            }
        }
        try await withRouter(driver, configure: Self.impatient) { router, port in
            try router.setPorts([instance.port]) {
                $0.timeouts.firstByte = .milliseconds(400)
                $0.timeouts.betweenBytes = .milliseconds(400)
            }
            let received = try await onThread {
                let client = try ScriptSocket(port: port)
                defer { client.end() }
                try client.write(misbehaviour.request)
                let sending = misbehaviour.request == upload ? Sending(client, 50_000_000) : nil
                defer { sending?.finish(client) }
                guard case .answer = misbehaviour.outcome else { return client.readToEnd() }
                let (head, body) = try client.readMessage()
                return head + body
            }
            switch misbehaviour.outcome {
            case .answer(let status, let text):
                #expect(received.hasPrefix("HTTP/1.1 \(status) "), "\(received.prefix(500))")
                #expect(received.contains(text), "\(received.prefix(500))")
            case .brokenOff(let text):
                #expect(received.hasPrefix("HTTP/1.1 200 OK"), "\(received)")
                #expect(received.hasSuffix(text), "\(received)")
            }
            #expect(misbehaviour.attempts.contains(attempts.value), "\(attempts.value)")
            try await router.expectNothingIsLeft(port: port, instances: [instance.port])
        }
        await instance.stop()
    }

    static func impatient(_ configuration: inout Router.Configuration) {
        configuration.timerResolution = .milliseconds(10)
    }
}
