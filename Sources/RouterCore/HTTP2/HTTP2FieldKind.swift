/// What a field is to the router, decided once: when its name is first seen, not whenever it is sent.
enum HTTP2FieldKind: UInt8 {
    case other
    // Pseudo-header fields; a name that begins with a colon and is none of these is unknown.
    case method, scheme, path, authority, status, protocolName, unknownPseudo
    case host, cookie, contentLength, te
    /// Connection, Keep-Alive, Proxy-Connection, Transfer-Encoding, Upgrade: HTTP/1 alone has them.
    case connectionSpecific
    /// Sec-WebSocket-Key and -Accept: HTTP/1's handshake, which HTTP/2 does without.
    case webSocketHandshake
    /// Credentials: never to be kept in a compression table, by nobody on the way.
    case secret
    /// A value that hardly ever comes twice.
    case fleeting
    /// A name or a value that HTTP does not allow.
    case invalid

    @inline(__always)
    var isPseudo: Bool { self.rawValue >= Self.method.rawValue && self.rawValue <= Self.unknownPseudo.rawValue }
}

/// The checks that every field received passes.
enum HTTP2FieldCheck {
    /// Whether these bytes are a field name in HTTP/2: a token without upper-case letters.
    @inline(__always)
    static func isName(_ name: UnsafeRawPointer, _ length: Int) -> Bool {
        guard length > 0 else { return false }
        for index in 0..<length {
            let byte = name.load(fromByteOffset: index, as: UInt8.self)
            guard ByteClass.isToken(byte), byte &- 0x41 >= 26 else { return false }
        }
        return true
    }

    /// Whether these bytes are a field value: no control character but the tab, no white space at either end.
    @inline(__always)
    static func isValue(_ value: UnsafeRawPointer, _ length: Int) -> Bool {
        guard length > 0 else { return true }
        let first = value.load(as: UInt8.self)
        let last = value.load(fromByteOffset: length &- 1, as: UInt8.self)
        guard first != ByteClass.space, first != ByteClass.tab, last != ByteClass.space, last != ByteClass.tab else {
            return false
        }
        var position = 0
        while position &+ 8 <= length {
            let word = value.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            if Self.mayHoldControl(word) { break }
            position &+= 8
        }
        while position < length {
            guard ByteClass.isFieldValue(value.load(fromByteOffset: position, as: UInt8.self)) else { return false }
            position &+= 1
        }
        return true
    }

    /// Whether one of eight bytes is below 0x20 or is 0x7F. A byte above 0x7F beside such a one may hide or feign it
    /// to its neighbour, never to itself: the caller looks closer when this says so, and it never misses one.
    @inline(__always)
    static func mayHoldControl(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        let below = (word &- ones &* 0x20) & ~word & highs
        let delete = word ^ (ones &* 0x7F)
        return below | ((delete &- ones) & ~delete & highs) != 0
    }
}

/// A hash of a few bytes, for tables in which a collision costs a comparison and nothing else.
@inline(__always)
func quickHash(_ bytes: UnsafeRawPointer, _ length: Int) -> UInt64 {
    var hash = UInt64(truncatingIfNeeded: length) &* 0x9E37_79B9_7F4A_7C15
    if length >= 8 {
        var position = 0
        while position &+ 8 <= length {
            hash = mix(hash ^ bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            position &+= 8
        }
        hash = mix(hash ^ bytes.loadUnaligned(fromByteOffset: length &- 8, as: UInt64.self))
    } else if length >= 4 {
        let low = bytes.loadUnaligned(as: UInt32.self)
        let high = bytes.loadUnaligned(fromByteOffset: length &- 4, as: UInt32.self)
        hash = mix(hash ^ (UInt64(high) << 32 | UInt64(low)))
    } else if length > 0 {
        let first = UInt64(bytes.load(as: UInt8.self))
        let middle = UInt64(bytes.load(fromByteOffset: length >> 1, as: UInt8.self))
        let last = UInt64(bytes.load(fromByteOffset: length &- 1, as: UInt8.self))
        hash = mix(hash ^ (first | middle << 8 | last << 16))
    }
    return hash
}

@inline(__always)
private func mix(_ value: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
    return product.high ^ product.low
}
