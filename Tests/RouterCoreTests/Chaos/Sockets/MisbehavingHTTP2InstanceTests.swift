import NIOCore
import Testing

@testable import RouterCore

/// One way in which an instance that speaks HTTP/2 does what it should not, or need not.
struct HTTP2Misbehaviour: Sendable, CustomTestStringConvertible {
    var name: String
    var request = "GET /odd HTTP/1.1\r\nHost: a\r\n\r\n"
    /// The answer's status; nil when the client's connection ends before the answer is whole.
    var status: Int?
    var containing = ""
    /// What each connection does, by its number. `/ok` is answered wherever the script does not say otherwise.
    var script: @Sendable (ScriptHTTP2, Int) throws -> Void

    var testDescription: String { self.name }
}

private let get = "GET /odd HTTP/1.1\r\nHost: a\r\n\r\n"
private let post = "POST /odd HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"

private func reset(_ code: HTTP2ErrorCode, _ request: String, status: Int, then: String = "") -> HTTP2Misbehaviour {
    HTTP2Misbehaviour(
        name: "resets a \(request.prefix(4)) with \(code)", request: request, status: status, containing: then
    ) { http2, _ in
        var isFirst = true
        while true {
            let id = try http2.nextRequest()
            if isFirst, http2.heads[id]?.contains(" /odd ") == true {
                isFirst = false
                http2.connection.reset(stream: id, code: code)
            } else {
                try http2.answer(id)
            }
        }
    }
}

private let codes: [HTTP2ErrorCode] = [
    .noError, .protocolError, .internalError, .flowControlError, .settingsTimeout, .streamClosed, .frameSizeError,
    .cancel,
    .compressionError, .connectError, .enhanceYourCalm, .inadequateSecurity, .http11Required,
]

private let misbehaviours: [HTTP2Misbehaviour] =
    codes.map { reset($0, post, status: 502, then: "upstream-broke") }
    + [
        reset(.refusedStream, post, status: 200, then: "ok"),
        reset(.refusedStream, get, status: 200, then: "ok"),
        HTTP2Misbehaviour(name: "resets in the body", status: nil) { http2, _ in
            let id = try http2.nextRequest()
            try http2.answer(id, "HTTP/1.1 200 OK\r\nContent-Length: 10", body: "abc", ends: false)
            http2.connection.reset(stream: id, code: .internalError)
            try http2.serve()
        },
        HTTP2Misbehaviour(name: "says farewell before a POST", request: post, status: 200) { http2, number in
            guard number == 1 else { return try http2.serve() }
            _ = try http2.nextHead()
            // Nothing was looked at.
            try http2.write(Wire.frame(7, 0, 0, Wire.word(0) + Wire.word(0)))
            http2.socket.end()
        },
        HTTP2Misbehaviour(name: "says farewell, then answers", request: post, status: 200) { http2, number in
            guard number == 1 else { return try http2.serve() }
            let id = try http2.nextRequest()
            try http2.write(Wire.frame(7, 0, 0, Wire.word(id) + Wire.word(0)))
            try http2.answer(id)
            http2.socket.end()
        },
        HTTP2Misbehaviour(name: "closes with a GET", status: 200) { http2, number in
            if number > 1 { return try http2.serve() }
            try http2.answer(http2.nextRequest())
            _ = try http2.nextRequest()
        },
        HTTP2Misbehaviour(name: "closes with a POST", request: post, status: 502, containing: "upstream-broke") {
            http2, number in
            if number > 1 { return try http2.serve() }
            _ = try http2.nextRequest()
        },
        HTTP2Misbehaviour(name: "answers before the body and stops the rest", request: upload, status: 413) {
            http2, number in
            if number > 1 { return try http2.serve() }
            let id = try http2.nextHead()
            try http2.answer(id, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 6", body: "enough")
            http2.connection.reset(stream: id, code: .noError)
            try http2.serve()
        },
        HTTP2Misbehaviour(name: "answers without a body or a length", status: 200, containing: "0\r\n\r\n") {
            http2, _ in
            let id = try http2.nextRequest()
            http2.connection.sendHead(stream: id, head: ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n"), endsStream: true)
            try http2.serve()
        },
        HTTP2Misbehaviour(name: "ends its answer late", status: 200, containing: "abc") { http2, _ in
            let id = try http2.nextRequest()
            try http2.answer(id, "HTTP/1.1 200 OK\r\nContent-Length: 3", body: "abc", ends: false)
            http2.connection.ping(1)
            try http2.wait {
                // The router has read it all. A reset would tell a finished application that its client had left.
                guard $0.connection.bufferedBytes(stream: id) == 0 else { return false }
                return $0.wasPinged
            }
            #expect(http2.resets.isEmpty)
            http2.connection.sendData(stream: id, ByteBuffer(), endsStream: true)
            try http2.serve()
        },
        HTTP2Misbehaviour(name: "closes its windows in an upload", request: post, status: 200) { http2, number in
            let id = try http2.nextHead()
            try http2.write(Wire.settings([(4, 0)]))
            if !http2.ended.contains(id) { try http2.write(Wire.windowUpdate(id, 3), Wire.windowUpdate(id, 60_000)) }
            try http2.wait { $0.ended.contains(id) }
            try http2.write(Wire.settings([(4, 65_535)]))
            try http2.answer(id, body: http2.bodies[id] ?? "")
            try http2.serve()
        },
        HTTP2Misbehaviour(name: "never opens its windows", request: upload, status: 504) { http2, number in
            http2.consumes = false
            let id = try http2.nextHead()
            try http2.wait { $0.resets[id] != nil }
            #expect((http2.bodies[id]?.utf8.count ?? 0) <= 262_144)
            http2.consumes = true
            try http2.serve()
        },
        HTTP2Misbehaviour(name: "speaks HTTP/1", status: 503, containing: "connect-failed") { http2, number in
            if number > 1 { return try http2.serve() }
            _ = try http2.socket.readSome()
            try http2.socket.write("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        },
        HTTP2Misbehaviour(name: "takes no streams", status: 503, containing: "connect-failed") { http2, number in
            guard number == 1 else { return try http2.serve() }
            try http2.socket.write(Wire.settings([(3, 0)]))
            _ = http2.socket.readToEnd()
        },
        HTTP2Misbehaviour(name: "never says its settings", status: 503, containing: "connect-failed") { http2, number in
            guard number == 1 else { return try http2.serve() }
            _ = http2.socket.readToEnd()
        },
        HTTP2Misbehaviour(name: "sends data before a head", request: post, status: 502) { http2, _ in
            let id = try http2.nextRequest()
            try http2.write(Wire.data(id, [1, 2, 3]))
            try http2.serve()
        },
        HTTP2Misbehaviour(name: "sends more than it may", status: nil) { http2, number in
            if number > 1 { return try http2.serve() }
            let id = try http2.nextRequest()
            try http2.answer(id, "HTTP/1.1 200 OK\r\nContent-Length: 10", body: "abc", ends: false)
            try http2.write(Wire.windowUpdate(0, 0x7FFF_FFFF))
            try http2.serve()
        },
    ]

private let upload = "POST /odd HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n"

@Suite(.timeLimit(.minutes(1))) struct `An instance that misbehaves in frames` {
    @Test(arguments: Driver.allCases, misbehaviours)
    func `harms its own request alone`(driver: Driver, misbehaviour: HTTP2Misbehaviour) async throws {
        let instance = try ScriptedInstance { socket, number in
            try misbehaviour.script(ScriptHTTP2(socket, .server), number)
        }
        try await withRouter(driver, configure: `An instance that misbehaves`.impatient) { router, port in
            try router.setPorts([instance.port]) {
                $0.instanceProtocol = .http2
                $0.timeouts.connect = .milliseconds(400)
                $0.timeouts.firstByte = .milliseconds(400)
                $0.timeouts.betweenBytes = .milliseconds(400)
            }
            let received = try await onThread {
                let client = try ScriptSocket(port: port)
                defer { client.end() }
                try client.write(misbehaviour.request)
                let sending = misbehaviour.request == upload ? Sending(client, 50_000_000) : nil
                defer { sending?.finish(client) }
                if misbehaviour.status == nil { return client.readToEnd() }
                let head = try client.read(until: "\r\n\r\n")
                if head.lowercased().contains("chunked") { return head + (try client.read(until: "0\r\n\r\n")) }
                return head + (try client.read(count: head.field("content-length").flatMap { Int($0) } ?? 0))
            }
            if let status = misbehaviour.status {
                #expect(received.hasPrefix("HTTP/1.1 \(status) "), "\(received.prefix(500))")
                #expect(received.contains(misbehaviour.containing), "\(received.prefix(500))")
            } else {
                #expect(received.hasPrefix("HTTP/1.1 200 ") && received.hasSuffix("abc"), "\(received)")
            }
            try await router.expectNothingIsLeft(port: port, instances: [instance.port])
        }
        await instance.stop()
    }

    /// Streams that the instance does not take wait, or go over another connection.
    @Test(arguments: Driver.allCases, [1, 3]) func `takes few streams at once`(driver: Driver, streams: Int)
        async throws
    {
        let instance = try ScriptedInstance { socket, _ in
            try ScriptHTTP2(socket, .server, streams: streams).serve()
        }
        try await withRouter(driver) { router, port in
            try router.setPorts([instance.port]) { $0.instanceProtocol = .http2 }
            let statuses = try await onThread {
                let http2 = ScriptHTTP2(try ScriptSocket(port: port), .client(isSecure: false))
                defer { http2.socket.end() }
                let ids = try (0..<30).map { _ in try http2.ask("POST /", body: "x") }
                return try ids.map { try http2.response($0).status }
            }
            #expect(statuses == Array(repeating: 200, count: 30))
            try await router.expectNothingIsLeft(port: port, instances: [instance.port])
        }
        await instance.stop()
    }

    @Test(arguments: Driver.allCases) func `takes fewer streams than before`(driver: Driver) async throws {
        let instance = try ScriptedInstance { socket, _ in
            let http2 = ScriptHTTP2(socket, .server)
            try http2.answer(http2.nextRequest())
            try http2.write(Wire.settings([(3, 1)]))
            try http2.serve()
        }
        try await withRouter(driver) { router, port in
            try router.setPorts([instance.port]) { $0.instanceProtocol = .http2 }
            let statuses = try await onThread {
                let http2 = ScriptHTTP2(try ScriptSocket(port: port), .client(isSecure: false))
                defer { http2.socket.end() }
                return try (0..<10).flatMap { _ in
                    let ids = try (0..<5).map { _ in try http2.ask("POST /", body: "x") }
                    return try ids.map { try http2.response($0).status }
                }
            }
            #expect(statuses == Array(repeating: 200, count: 50))
            try await router.expectNothingIsLeft(port: port, instances: [instance.port])
        }
        await instance.stop()
    }
}
