@testable import RouterCore

private typealias Client = ClientMisbehaviour

private let hold = "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"
private let large = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n"
private let next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
private let lengthHead = "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
private let chunkedHead = "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

/// How a client leaves.
private enum Leaving: String, CaseIterable {
    case closes, resets

    func callAsFunction(_ client: ScriptSocket) {
        switch self {
        case .closes: client.end()
        case .resets: client.reset()
        }
    }
}

/// Each of the two ways to leave.
private func leaving(
    _ when: String, meets: [String: Int] = [:], _ script: @escaping @Sendable (ClientScene) throws -> ScriptSocket
) -> [ClientMisbehaviour] {
    Leaving.allCases.map { leave in
        Client(name: "\(leave) \(when)", meets: meets) { leave(try script($0)) }
    }
}

private func expect(_ text: String, begins start: String) throws {
    guard text.hasPrefix(start) else { throw ScriptSocket.Failure(description: "not '\(start)': \(text.prefix(300))") }
}

extension ClientMisbehaviour {
    static let unfinishedHeads: [ClientMisbehaviour] =
        leaving("without a byte") { try $0.client() }
        + leaving("in the request line") {
            let client = try $0.client()
            try client.write("GET /hold HT")
            return client
        }
        + leaving("in the head") {
            let client = try $0.client()
            try client.write("GET /hold HTTP/1.1\r\nHost: a\r\nX")
            return client
        }
        + leaving("behind an empty line") {
            let client = try $0.client()
            try client.write("\r\n\r\n\r")
            return client
        }
        + leaving("after an answer, in the next head") {
            let client = try $0.client()
            try client.write("GET /ok HTTP/1.1\r\nHost: a\r\n\r\nGET /ho")
            _ = try client.readMessage()
            return client
        }
        + [
            Client(name: "ends its side in the head") {
                let client = try $0.client()
                try client.write("GET /hold HTTP/1.1\r\nHost")
                client.finishWriting()
                _ = client.readToEnd()
            },
            Client(name: "stops in the head") {
                let client = try $0.client()
                try client.write("GET /hold HTTP/1.1\r\nHost")
                try expect(client.readToEnd(), begins: "HTTP/1.1 408 ")
            },
            Client(name: "sends its head a byte at a time", meets: ["whole": 1]) {
                let client = try $0.client()
                for byte in Array(next.utf8) { try client.write([byte]) }
                try expect(client.readMessage().head, begins: "HTTP/1.1 200 ")
                client.end()
            },
            Client(name: "sends a head without end") {
                let client = try $0.client()
                _ = try? client.write("GET / HTTP/1.1\r\n" + String(repeating: "X: y\r\n", count: 100_000))
                // The answer may be lost: the router does not read what it refuses for ever.
                _ = client.readToEnd()
            },
        ]

    static let unfinishedBodies: [ClientMisbehaviour] =
        [
            ("a body with a length", lengthHead + "abc"), ("a chunk", chunkedHead + "A\r\nabc"),
            ("a chunk's size", chunkedHead + "3\r\nabc\r\nA"), ("chunks, between two", chunkedHead + "3\r\nabc\r\n"),
            ("the trailers", chunkedHead + "3\r\nabc\r\n0\r\nA: b\r\n"),
        ].flatMap { (place, bytes) in
            leaving("in \(place)", meets: ["cut": 1]) { scene in
                let client = try scene.client()
                try client.write(bytes)
                try scene.wait(for: "head of /upload")
                return client
            } + [
                Client(name: "ends its side in \(place)", meets: ["cut": 1]) { scene in
                    let client = try scene.client()
                    try client.write(bytes)
                    try scene.wait(for: "head of /upload")
                    client.finishWriting()
                    _ = client.readToEnd()
                },
                Client(name: "stops in \(place)", meets: ["cut": 1]) { scene in
                    let client = try scene.client()
                    try client.write(bytes)
                    try expect(client.readToEnd(), begins: "HTTP/1.1 408 ")
                },
            ]
        }
        + [
            Client(name: "sends a bad chunk", meets: ["cut": 1]) { scene in
                let client = try scene.client()
                try client.write(chunkedHead + "3\r\nabc\r\n")
                try scene.wait(for: "head of /upload")
                try client.write("zz\r\n")
                try expect(client.readToEnd(), begins: "HTTP/1.1 400 ")
            },
            Client(name: "sends more chunks than it may", meets: ["cut": 1]) { scene in
                let client = try scene.client()
                try client.write(chunkedHead)
                let chunk = "10000\r\n" + String(repeating: "x", count: 65_536) + "\r\n"
                for _ in 0..<32 where (try? client.write(chunk)) == nil { break }
                _ = client.readToEnd()
            },
            Client(name: "sends its body a byte at a time", meets: ["whole": 1]) {
                let client = try $0.client()
                let request =
                    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "5\r\nhello\r\n1\r\n,\r\n0\r\n\r\n"
                for byte in Array(request.utf8) { try client.write([byte]) }
                try expect(client.readMessage().body, begins: "hello,")
                client.end()
            },
            Client(name: "expects to be told to go on, and leaves", meets: ["cut": 1]) { scene in
                let client = try scene.client()
                try client.write(
                    "POST /upload HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n")
                try scene.wait(for: "head of /upload")
                client.reset()
            },
        ]

    static let unreadAnswers: [ClientMisbehaviour] =
        leaving("in an answer that it has begun to read", meets: ["whole": 1, "aborted": 1]) {
            let client = try $0.client()
            try client.write(large)
            _ = try client.read(count: 1000)
            return client
        }
        + leaving("in an answer of which it reads nothing", meets: ["whole": 1, "aborted": 1]) {
            let client = try $0.client()
            try client.write(large)
            try $0.wait(for: "head of /large")
            return client
        }
        + leaving("without reading a small answer", meets: ["whole": 1]) {
            let client = try $0.client()
            try client.write(next)
            try $0.wait(for: "whole")
            return client
        }
        + [
            Client(name: "never reads", meets: ["whole": 1, "aborted": 1], clientStall: 300) {
                let client = try $0.client(receives: 4096)
                try client.write(large)
                try client.waitForHangUp()
                client.end()
            },
            Client(name: "resets while it waits", meets: ["whole": 1, "aborted": 1]) {
                let client = try $0.client()
                try client.write(hold)
                try $0.wait(for: "head of /hold")
                client.reset()
            },
            // The end of its side alone does not say that it has gone.
            Client(name: "closes while it waits", meets: ["whole": 1, "aborted": 1], firstByte: .milliseconds(300)) {
                let client = try $0.client()
                try client.write(hold)
                try $0.wait(for: "head of /hold")
                client.end()
            },
            Client(name: "ends its side and waits", meets: ["whole": 1]) {
                let client = try $0.client()
                try client.write(next)
                client.finishWriting()
                try expect(client.readToEnd(), begins: "HTTP/1.1 200 ")
            },
            Client(name: "resets a stream of events", meets: ["whole": 1, "aborted": 1]) {
                let client = try $0.client()
                try client.write("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = try client.read(until: "first")
                client.reset()
            },
        ]

    static let pipelines: [ClientMisbehaviour] =
        leaving("behind many small requests") {
            let client = try $0.client()
            try client.write(String(repeating: "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n", count: 200))
            _ = try client.readMessage()
            return client
        }
        + [
            Client(name: "resets behind a request that waits and more", meets: ["whole": 1, "aborted": 1]) {
                let client = try $0.client()
                try client.write(hold + String(repeating: next, count: 20))
                try $0.wait(for: "head of /hold")
                client.reset()
            },
            Client(name: "sends many requests and ends its side", meets: ["whole": 20]) {
                let client = try $0.client()
                try client.write(String(repeating: next, count: 20))
                client.finishWriting()
                let answers = client.readToEnd().statuses
                guard answers == Array(repeating: 200, count: 20) else {
                    throw ScriptSocket.Failure(description: "\(answers)")
                }
            },
            Client(name: "sends requests without reading, then leaves", clientStall: 300) {
                let client = try $0.client(receives: 4096)
                // Until nobody takes more: what is pipelined is bounded. Large answers fill the kernel's buffers soon.
                let request = Array("GET /page HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
                let block = Array(repeatElement(request, count: 1000).joined())
                for _ in 0..<400 where (try? client.write(block)) == nil { break }
                client.reset()
            },
        ]

    static let upgrades: [ClientMisbehaviour] = {
        let chat = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"
        let slow = chat.replacing("/chat", with: "/slow-chat")
        let refused = chat.replacing("/chat", with: "/next")
        return leaving("in a tunnel", meets: ["whole": 1, "tunnel ended": 1]) {
            let client = try $0.client()
            try client.write(chat)
            _ = try client.read(until: "\r\n\r\n")
            try client.write("hello")
            _ = try client.read(count: 5)
            return client
        } + [
            Client(name: "resets before the answer to its upgrade", meets: ["whole": 1, "aborted": 1]) {
                let client = try $0.client()
                try client.write(slow)
                try $0.wait(for: "head of /slow-chat")
                client.reset()
            },
            Client(name: "ends its side of a tunnel", meets: ["whole": 1, "tunnel ended": 1]) {
                let client = try $0.client()
                try client.write(chat)
                _ = try client.read(until: "\r\n\r\n")
                client.finishWriting()
                try expect(client.readToEnd(), begins: "bye")
            },
            Client(name: "does not wait for the answer to its upgrade", meets: ["whole": 1, "tunnel ended": 1]) {
                let client = try $0.client()
                try client.write(chat + "hello")
                _ = try client.read(until: "\r\n\r\n")
                try expect(client.read(count: 5), begins: "hello")
                client.end()
            },
            Client(name: "asks for something else where its upgrade is refused", meets: ["whole": 2]) {
                let client = try $0.client()
                try client.write(refused)
                try expect(client.readMessage().head, begins: "HTTP/1.1 200 ")
                try client.write(next)
                try expect(client.readMessage().head, begins: "HTTP/1.1 200 ")
                client.end()
            },
            Client(name: "asks for something else before its upgrade is answered", meets: ["whole": 1, "aborted": 1]) {
                let client = try $0.client()
                try client.write(slow + next)
                try $0.wait(for: "head of /slow-chat")
                client.reset()
            },
        ]
    }()
}
