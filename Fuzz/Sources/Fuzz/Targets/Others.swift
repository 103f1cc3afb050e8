/// A PROXY header says the same as soon as it says anything.
func fuzzProxyHeader(_ input: UnsafeRawBufferPointer) {
    guard !input.isEmpty else { return }
    let whole = ProxyHeader(input)
    if case .complete(let length, _) = whole { require(length <= input.count, "longer than what came") }
    for count in 1..<min(input.count, 300) {
        switch ProxyHeader(UnsafeRawBufferPointer(rebasing: input[..<count])) {
        case .partial: break
        case let early: require(early == whole, "\(early) after \(count) bytes, then \(whole)")
        }
    }
}

/// However a hello is cut, the same is read of it.
func fuzzClientHello(_ input: UnsafeRawBufferPointer) {
    guard !input.isEmpty else { return }
    var whole = ClientHelloReader(limit: 4096)
    let expected = whole.read(input)
    var pieces = ClientHelloReader(limit: 4096)
    for count in 1...input.count {
        switch pieces.read(UnsafeRawBufferPointer(rebasing: input[..<count])) {
        case .needsMore: break
        case let progress: return require(progress == expected, "\(progress) after \(count) bytes, then \(expected)")
        }
    }
    require(expected == .needsMore, "nothing in pieces, but \(expected)")
}

/// Whatever plain prefix a path is under in any server's reading, it is under when everything is undone; and what is
/// plain is as it was.
func fuzzPath(_ input: UnsafeRawBufferPointer) {
    guard input.count <= 200 else { return }
    let path = [0x2F] + Array(input)
    path.withUnsafeBytes { path in
        guard let undone = undo(path) else {
            return require(!PathReading.isPlain(path) || path.contains(0), "a plain path is refused")
        }
        if PathReading.isPlain(path) { require(undone.elementsEqual(path), "a plain path is changed") }
        for reading in readings(Array(path)) {
            for prefix in plainPrefixes(reading) {
                require(
                    isUnder(undone, prefix),
                    "\(text(Array(path))) is under \(text(prefix)) read as \(text(reading)), but undone \(text(undone))"
                )
            }
        }
    }
}

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self).debugDescription }

private func undo(_ path: UnsafeRawBufferPointer) -> [UInt8]? {
    withUnsafeTemporaryAllocation(byteCount: path.count + 1, alignment: 1) { out in
        PathReading.undo(path, into: UnsafeMutableRawBufferPointer(out)).map { Array(out[..<$0]) }
    }
}

/// How servers may read a path: decoded or not, twice or not, with what else some take for a slash, with parameters cut
/// off before or after, with slashes merged.
private func readings(_ path: [UInt8]) -> [[UInt8]] {
    (0..<64).map { choice in
        var reading = path
        if choice & 1 != 0 { reading = withoutParameters(reading) }
        for _ in 0..<min(2, choice >> 1 & 3) { reading = decoded(reading) }
        if choice & 8 != 0 { reading = reading.map { $0 == 0x5C ? 0x2F : $0 } }
        if choice & 16 != 0 { reading = withoutParameters(reading) }
        if choice & 32 != 0 {
            reading = reading.indices.filter { $0 == 0 || reading[$0] != 0x2F || reading[$0 - 1] != 0x2F }
                .map { reading[$0] }
        }
        return reading
    }
}

private func decoded(_ path: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    var index = 0
    while index < path.count {
        let digits = path[(index + 1)...].prefix(2).map { hexDigit($0) }
        if path[index] == 0x25, digits.count == 2, let high = digits[0], let low = digits[1] {
            out.append(high << 4 | low)
            index += 3
        } else {
            out.append(path[index])
            index += 1
        }
    }
    return out
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: nil
    }
}

private func withoutParameters(_ path: [UInt8]) -> [UInt8] {
    path.split(separator: 0x2F, omittingEmptySubsequences: false)
        .map { $0.prefix { $0 != 0x3B } }.joined(separator: [0x2F]).map { $0 }
}

/// The first one and two segments, where they consist of characters that mean nothing else.
private func plainPrefixes(_ path: [UInt8]) -> [[UInt8]] {
    let segments = path.split(separator: 0x2F, omittingEmptySubsequences: false).dropFirst().prefix(2)
    var prefixes: [[UInt8]] = []
    var prefix: [UInt8] = []
    for segment in segments {
        guard !segment.isEmpty, segment.allSatisfy({ 0x30...0x39 ~= $0 || 0x61...0x7A ~= $0 }) else { break }
        prefix += [0x2F] + segment
        prefixes.append(prefix)
    }
    return prefixes
}

private func isUnder(_ path: [UInt8], _ prefix: [UInt8]) -> Bool {
    path.starts(with: prefix) && (path.count == prefix.count || path[prefix.count] == 0x2F)
}
