import NIOCore

@testable import RouterCore

private typealias Client = ClientMisbehaviour

private func expect(_ condition: Bool, _ what: String) throws {
    guard condition else { throw ScriptSocket.Failure(description: what) }
}

/// What opens a WebSocket in a connection's first stream.
private func tunnel(_ path: String) -> [UInt8] {
    let fields = [
        (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", path), (":authority", "a"),
        ("sec-websocket-version", "13"),
    ]
    return Wire.preface + Wire.settings() + Wire.headers(1, Wire.block(fields), ends: false)
}

private func nextFrame(_ socket: ScriptSocket) throws -> (type: UInt8, flags: UInt8, payload: [UInt8]) {
    let head = try socket.readBytes(count: 9)
    let length = head[..<3].reduce(0) { $0 << 8 | Int($1) }
    return (head[3], head[4], try socket.readBytes(count: length))
}

/// Reads frames up to the one that ends the stream, in order and not by a reset.
private func expectEnd(of socket: ScriptSocket, after text: String) throws {
    var data: [UInt8] = []
    while true {
        let frame = try nextFrame(socket)
        if frame.type == 0 { data += frame.payload }
        try expect(frame.type != 3, "the stream is reset")
        if frame.type <= 1, frame.flags & 1 != 0 { break }
    }
    try expect(data == Array(text.utf8), "\(data)")
}

extension ClientMisbehaviour {
    /// Clients that speak HTTP/2 by prior knowledge.
    static let frames: [ClientMisbehaviour] =
        (1..<Wire.preface.count).filter { $0 % 7 == 1 }.flatMap { count in
            [
                Client(name: "closes after \(count) bytes of the preface") {
                    let client = try $0.client()
                    try client.write(Array(Wire.preface.prefix(count)))
                    client.end()
                },
                Client(name: "stops after \(count) bytes of the preface") {
                    let client = try $0.client()
                    try client.write(Array(Wire.preface.prefix(count)))
                    _ = client.readToEnd()
                },
            ]
        }
        + [
            Client(name: "sends all a byte at a time", meets: ["whole": 1]) {
                let http2 = try $0.http2()
                let id = http2.connection.openStream(
                    head: ByteBuffer(string: "POST /echo HTTP/1.1\r\nHost: a\r\n\r\n"), endsStream: false)
                guard let id else { throw ScriptSocket.Failure(description: "no stream") }
                http2.connection.sendData(stream: id, ByteBuffer(string: "hello"), endsStream: true)
                while let output = http2.connection.takeOutput() {
                    for byte in output.readableBytesView { try http2.socket.write([byte]) }
                }
                let answer = try http2.response(id)
                try expect(answer.status == 200 && answer.body == "hello", "\(answer)")
                http2.socket.end()
            },
            Client(name: "spells the preface wrongly") {
                let client = try $0.client()
                try client.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\rX")
                _ = client.readToEnd()
            },
            Client(name: "sends garbage behind the preface") {
                let client = try $0.client()
                try client.write(Wire.preface + Array(repeating: 0xFF, count: 100))
                _ = client.readToEnd()
            },
            Client(name: "closes behind the preface") {
                let client = try $0.client()
                try client.write(Wire.preface)
                client.end()
            },
            Client(name: "closes in a frame") {
                let client = try $0.client()
                try client.write(Wire.preface + Wire.settings() + Wire.headers(1, Wire.request()).dropLast(3))
                client.end()
            },
            Client(name: "closes between a head and its continuation") {
                let client = try $0.client()
                try client.write(
                    Wire.preface + Wire.settings() + Wire.headers(1, Array(Wire.request().prefix(9)), complete: false))
                client.end()
            },
            Client(name: "resets the connection with streams that wait", meets: ["whole": 5, "aborted": 5]) {
                let http2 = try $0.http2()
                for _ in 0..<5 { try http2.ask("GET /hold") }
                try $0.wait(for: "head of /hold", each: 5)
                http2.socket.reset()
            },
            Client(name: "closes the connection with streams that wait", meets: ["whole": 5, "aborted": 5]) {
                let http2 = try $0.http2()
                for _ in 0..<5 { try http2.ask("GET /hold") }
                try $0.wait(for: "head of /hold", each: 5)
                http2.socket.end()
            },
            Client(name: "resets one stream of two", meets: ["whole": 2, "aborted": 1]) {
                let http2 = try $0.http2()
                let id = try http2.ask("GET /hold")
                try $0.wait(for: "head of /hold")
                http2.connection.reset(stream: id, code: .cancel)
                let answer = try http2.response(http2.ask("GET /next"))
                try expect(answer.status == 200, "\(answer)")
                http2.socket.end()
            },
            Client(name: "resets a stream in its body", meets: ["cut": 1, "whole": 1]) {
                let http2 = try $0.http2()
                let id = try http2.ask("POST /upload", body: "abc", ends: false)
                try $0.wait(for: "head of /upload")
                http2.connection.reset(stream: id, code: .cancel)
                let answer = try http2.response(http2.ask("GET /next"))
                try expect(answer.status == 200, "\(answer)")
                http2.socket.end()
            },
            Client(name: "closes in a stream's body", meets: ["cut": 1]) {
                let http2 = try $0.http2()
                try http2.ask("POST /upload", body: "abc", ends: false)
                try $0.wait(for: "head of /upload")
                http2.socket.end()
            },
            Client(name: "says farewell in a stream's body, and closes", meets: ["cut": 1]) {
                let http2 = try $0.http2()
                try http2.ask("POST /upload", body: "abc", ends: false)
                try $0.wait(for: "head of /upload")
                try http2.write(Wire.frame(7, 0, 0, Wire.word(0) + Wire.word(0)))
                http2.socket.end()
            },
            Client(name: "stops in a stream's body", meets: ["cut": 1]) {
                let http2 = try $0.http2()
                let id = try http2.ask("POST /upload", body: "abc", ends: false)
                let answer = try http2.response(id)
                try expect(answer.status == 408, "\(answer)")
                http2.socket.end()
            },
            Client(name: "opens no window for an answer, and leaves", meets: ["whole": 1, "aborted": 1]) {
                let http2 = try $0.http2(consumes: false, window: 1000)
                let id = try http2.ask("GET /large")
                try http2.wait { $0.bodies[id]?.utf8.count == 1000 }
                http2.socket.end()
            },
            Client(name: "opens no window for an answer", meets: ["whole": 1, "aborted": 1], clientStall: 300) {
                let http2 = try $0.http2(consumes: false, window: 1000)
                let id = try http2.ask("GET /large")
                try http2.wait { $0.resets[id] != nil }
                http2.socket.end()
            },
            Client(name: "never reads a frame", meets: ["whole": 1, "aborted": 1], clientStall: 300) {
                let http2 = ScriptHTTP2(
                    try $0.client(receives: 4096), .client(isSecure: false), window: 1_000_000_000)
                try http2.ask("GET /large")
                try http2.socket.waitForHangUp()
                http2.socket.end()
            },
            Client(name: "asks and resets without end") {
                let client = try $0.client()
                try client.write(Wire.preface + Wire.settings())
                for number in 0..<5_000 {
                    let id = UInt32(number * 2 + 1)
                    let head = Wire.headers(id, Wire.block(Wire.get.map { ($0.0, $0.0 == ":authority" ? "b" : $0.1) }))
                    guard (try? client.write(head + Wire.reset(id))) != nil else { break }
                }
                // It is told to calm down.
                _ = client.readToEnd()
            },
            Client(name: "resets a tunnel in a stream", meets: ["whole": 1, "tunnel ended": 1]) {
                let client = try $0.client()
                try client.write(tunnel("/chat"))
                try $0.wait(for: "head of /chat")
                try client.write(Wire.reset(1))
                try $0.wait(for: "tunnel ended")
                client.end()
            },
            Client(name: "waits for the end of a tunnel in a stream", meets: ["whole": 1, "tunnel ended": 1]) {
                let client = try $0.client()
                try client.write(tunnel("/farewell"))
                try expectEnd(of: client, after: "bye")
                client.end()
            },
            // As browsers do with a WebSocket's goodbye.
            Client(name: "ends a tunnel in a stream", meets: ["whole": 1, "tunnel ended": 1]) {
                let client = try $0.client()
                try client.write(tunnel("/chat") + Wire.data(1, Array("hello".utf8), ends: true))
                try expectEnd(of: client, after: "hellobye")
                client.end()
            },
        ]

    /// Clients that begin a TLS handshake.
    static let handshakes: [ClientMisbehaviour] = {
        let hello = HelloBuilder(names: ["a"], protocols: ["http/1.1"]).records()
        let beginnings: [(String, [UInt8])] = [
            ("without a byte", []), ("in a record's head", Array(hello.prefix(3))),
            ("in its hello", Array(hello.prefix(40))), ("behind its hello", hello),
            ("after what is no TLS", Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)),
            ("after a hello that is too large", HelloBuilder(names: ["a"], padding: 60_000).records()),
        ]
        return beginnings.flatMap { (place, bytes) in
            [
                Client(name: "closes a handshake \(place)") {
                    let client = try ScriptSocket(port: $0.securePort)
                    try client.write(bytes)
                    client.end()
                },
                Client(name: "resets a handshake \(place)") {
                    let client = try ScriptSocket(port: $0.securePort)
                    try client.write(bytes)
                    client.reset()
                },
                Client(name: "ends its side of a handshake \(place)") {
                    let client = try ScriptSocket(port: $0.securePort)
                    try client.write(bytes)
                    client.finishWriting()
                    _ = client.readToEnd()
                },
                Client(name: "stops a handshake \(place)") {
                    let client = try ScriptSocket(port: $0.securePort)
                    _ = try? client.write(bytes)
                    try client.waitForHangUp()
                    client.end()
                },
            ]
        }
    }()
}
