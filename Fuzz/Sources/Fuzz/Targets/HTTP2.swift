import NIOCore

/// What came of an HTTP/2 connection's bytes, with neighbouring data put together.
private struct Seen: Equatable {
    var events: [String] = []
    var data: [UInt32: [UInt8]] = [:]
    var closing: String?
}

/// A client's bytes: however they are cut, the same requests.
func fuzzHTTP2Server(_ input: UnsafeRawBufferPointer) { fuzz(Array(input), .server) }

/// An instance's bytes, in answer to three requests.
func fuzzHTTP2Client(_ input: UnsafeRawBufferPointer) { fuzz(Array(input), .client(isSecure: false)) }

private func fuzz(_ bytes: [UInt8], _ role: HTTP2Connection.Role) {
    let sizes = [max(1, bytes.count), 1, Int(bytes.last ?? 0) % 16 + 2]
    let seen = sizes.map { see(bytes, $0, role) }
    for other in seen.dropFirst() {
        require(other.events == seen[0].events, "cut otherwise: \(other.events) instead of \(seen[0].events)")
        require(other.closing == seen[0].closing, "cut otherwise: \(other) instead of \(seen[0])")
        // How much of a stream is data before its connection turns out to be broken depends on the pieces.
        if other.closing == nil { require(other.data == seen[0].data, "cut otherwise: \(other) instead of \(seen[0])") }
    }
}

private func see(_ bytes: [UInt8], _ size: Int, _ role: HTTP2Connection.Role) -> Seen {
    var limits = HTTP2Limits()
    limits.resets = HTTP2Rate(burst: 1_000_000, perSecond: 1)
    limits.idleFrames = HTTP2Rate(burst: 1_000_000, perSecond: 1)
    var connection = HTTP2Connection(role: role, limits: limits)
    if case .client = role {
        for body in [false, true, false] {
            let id = connection.openStream(
                head: ByteBuffer(string: "POST / HTTP/1.1\r\nHost: a\r\n\r\n"), endsStream: !body)
            if body, let id { connection.sendData(stream: id, ByteBuffer(string: "body"), endsStream: true) }
        }
    }
    var seen = Seen()
    for start in stride(from: 0, to: bytes.count, by: size) {
        connection.receive(ByteBuffer(bytes: bytes[start..<min(bytes.count, start + size)]), now: 0)
        var count = 0
        while let event = connection.nextEvent() {
            count += 1
            require(count < 100_000, "it never rests")
            note(event, &seen)
            if case .head(let id, _) = event, case .server = role {
                _ = connection.sendHead(
                    stream: id, head: ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n"), endsStream: false)
                connection.sendData(stream: id, ByteBuffer(string: "hello"), endsStream: true)
            }
            if case .data(let id, let data, _) = event {
                connection.consumed(stream: id, count: data.readableBytes)
            }
            while connection.takeOutput() != nil {}
        }
        while connection.takeOutput() != nil {}
        connection.releaseInput()
    }
    return seen
}

private func note(_ event: HTTP2Event, _ seen: inout Seen) {
    switch event {
    case .head(let id, let head):
        checkLines(String(buffer: head.text))
        seen.events.append("\(id) \(head.endsStream) \(String(buffer: head.text))")
    case .trailers(let id, let lines):
        checkLines(String(buffer: lines))
        seen.events.append("\(id) trailers \(String(buffer: lines))")
    case .data(let id, let data, let ends):
        seen.data[id, default: []] += data.readableBytesView
        if ends { seen.events.append("\(id) end") }
    case .endOfStream(let id): seen.events.append("\(id) end")
    case .closed(let code, let reason): seen.closing = "\(code) \(reason)"
    // Where it is told in between may differ.
    case .drained: break
    case .refusedHead, .reset, .settings, .settingsAcknowledged, .pingAnswered, .goAway:
        seen.events.append("\(event)")
    }
}

/// Nothing that a frame's field says may look like another line, or like the head's end.
private func checkLines(_ text: String) {
    require(text.hasSuffix("\r\n\r\n") || text == "\r\n", "a head without end: \(text.debugDescription)")
    let bytes = Array(text.utf8).dropLast(2)
    for (index, byte) in bytes.enumerated() {
        require(byte != 0, "NUL in a head")
        if byte == 10 { require(index > 0 && bytes[index - 1] == 13, "a bare LF in a head") }
        if byte == 13 { require(index + 1 < bytes.count && bytes[index + 1] == 10, "a bare CR in a head") }
    }
    require(!String(decoding: bytes.dropLast(2), as: UTF8.self).contains("\r\n\r\n"), "a head that ends early")
}

/// Header blocks, one after the other over the same table.
func fuzzHPACK(_ input: UnsafeRawBufferPointer) {
    var decoder = HPACKDecoder(tableSize: 4096)
    // A block ends where the input says so.
    for block in input.split(separator: 0xFE, omittingEmptySubsequences: false) {
        let block = UnsafeRawBufferPointer(rebasing: block)
        guard block.count > 0 else { continue }
        decoder.begin()
        var position = 0
        do throws(HPACKError) {
            while try decoder.next(block, &position) != nil {
                require(position <= block.count, "it reads on behind the end")
            }
        } catch {
            return
        }
    }
    guard let base = input.baseAddress, input.count > 0 else { return }
    let huffman = HPACKHuffman.shared
    withUnsafeTemporaryAllocation(byteCount: huffman.encodedLength(base, input.count) + 8, alignment: 1) { code in
        guard let target = code.baseAddress else { return }
        let length = huffman.encodedLength(base, input.count)
        huffman.encode(base, input.count, into: target)
        withUnsafeTemporaryAllocation(byteCount: HPACKHuffman.decodedLimit(length) + 8, alignment: 1) { text in
            guard let back = text.baseAddress else { return }
            require(huffman.decode(target, length, into: back) == input.count, "Huffman: another length")
            require(UnsafeRawBufferPointer(text).prefix(input.count).elementsEqual(input), "Huffman: other bytes")
        }
    }
}
