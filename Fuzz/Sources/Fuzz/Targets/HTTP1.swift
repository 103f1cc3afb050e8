import NIOCore

/// A client's bytes: however they are cut, instances get the same requests, each of which has one reading.
func fuzzRequest(_ input: UnsafeRawBufferPointer) {
    guard let first = input.first else { return }
    let bytes = Array(input.dropFirst())
    var results: [([StrictReader.Message], [Int])] = []
    for size in [bytes.count, 1, Int(first) % 16 + 2] {
        let exchanges = Exchanges(answers: true)
        for start in stride(from: 0, to: bytes.count, by: max(1, size)) {
            exchanges.client(bytes[start..<min(bytes.count, start + max(1, size))])
        }
        exchanges.tell { $0.clientEOF() }
        results.append((exchanges.requests, exchanges.statuses))
    }
    for result in results.dropFirst() {
        require(result.0 == results[0].0, "cut otherwise: \(result.0) instead of \(results[0].0)")
        require(result.1 == results[0].1, "cut otherwise: \(result.1) instead of \(results[0].1)")
    }
}

/// An instance's bytes, in answer to one of a few requests: however they are cut, the client gets the same.
func fuzzResponse(_ input: UnsafeRawBufferPointer) {
    guard let first = input.first else { return }
    let bytes = Array(input.dropFirst())
    // Without a byte of an answer, the request is sent again.
    guard !bytes.isEmpty else { return }
    let requests = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
    ]
    let request = requests[Int(first) % requests.count]
    var results: [(status: Int, code: String, messages: [StrictReader.Message])] = []
    for size in [bytes.count, 1, Int(first) / 16 + 2] {
        let exchanges = Exchanges(answers: false)
        exchanges.client(request.utf8)
        for start in stride(from: 0, to: bytes.count, by: max(1, size)) {
            exchanges.upstream(bytes[start..<min(bytes.count, start + max(1, size))])
        }
        exchanges.tell { $0.upstreamEOF(broke: false) }
        exchanges.tell { $0.clientEOF() }
        // A tunnel ends when both sides have; an exchange has ended by now.
        require(exchanges.endings.count == 1, "\(exchanges.endings.count) ends")
        let ending = exchanges.endings[0]
        var reader = StrictReader(.response(toHead: request.hasPrefix("HEAD")))
        do {
            try reader.read(exchanges.toClient)
        } catch {
            fatalError("answered \(error): \(String(decoding: exchanges.toClient, as: UTF8.self))")
        }
        if ending.code == nil {
            reader.end()
            if !ending.upgraded { require(!reader.isInside, "an answer that is not whole") }
        }
        // What has left before an answer turns out to be malformed depends on its pieces.
        results.append(
            (ending.status, ending.code.map { "\($0)" } ?? "", ending.code == nil ? reader.messages : []))
    }
    for result in results.dropFirst() {
        require(result.status == results[0].status, "cut otherwise: \(result) instead of \(results[0])")
        require(result.code == results[0].code, "cut otherwise: \(result) instead of \(results[0])")
        require(result.messages == results[0].messages, "cut otherwise: \(result) instead of \(results[0])")
    }
}

/// Everything in any order, as the input says.
func fuzzExchange(_ input: UnsafeRawBufferPointer) {
    let exchanges = Exchanges(answers: false)
    var rest = Array(input)[...]
    func take() -> ArraySlice<UInt8> {
        let count = min(Int(rest.popFirst() ?? 0), rest.count)
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
    while let operation = rest.popFirst() {
        switch operation % 16 {
        case 0, 2, 3, 4: exchanges.client(take())
        case 1, 5, 6, 7: exchanges.upstream(take())
        case 8: exchanges.upstream("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx".utf8)
        case 9: exchanges.client("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        case 10: exchanges.tell { $0.clientEOF() }
        case 11: exchanges.tell { $0.upstreamEOF(broke: false) }
        case 12: exchanges.tell { $0.upstreamEOF(broke: true, isProcessed: rest.first != 0) }
        case 13: exchanges.tell { $0.timedOut() }
        case 14: exchanges.tell { $0.shutDown() }
        default: exchanges.tell { $0.refuse(OwnAnswer(.drained)) }
        }
    }
    exchanges.tell { $0.clientClosed() }
    require(exchanges.isClosed, "the client has gone, and it goes on")
    require(!exchanges.machine.isExchanging, "the client has gone, and its request goes on")
}
