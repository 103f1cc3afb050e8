/// Applies a delta: instructions that copy pieces of a base or insert bytes of their own.
enum PackDelta {
    /// What a delta makes of a base; refused before anything is allocated if it says it is larger than `limit`.
    static func apply(
        _ delta: ObjectBuffer, to base: ObjectBuffer, limit: Int
    ) throws(GitReceiverError) -> ObjectBuffer {
        // The pointers are good as long as somebody holds the buffers.
        defer { withExtendedLifetime((delta, base)) {} }
        return try Self.apply(delta.bytes, to: base.bytes, limit: limit)
    }

    private static func apply(
        _ delta: UnsafeRawBufferPointer, to base: UnsafeRawBufferPointer, limit: Int
    ) throws(GitReceiverError) -> ObjectBuffer {
        var position = 0
        guard try Self.number(delta, &position) == base.count else {
            throw GitReceiverError(.corrupt, "the pack is damaged: a delta does not fit its base")
        }
        let size = try Self.number(delta, &position)
        guard size <= limit else { throw .objectTooLarge(size, limit: limit) }
        let result = try ObjectBuffer(count: size)
        var written = 0
        while position < delta.count {
            let code = delta[position]
            position += 1
            if code & 0x80 != 0 {
                var (offset, count) = (0, 0)
                for bit in 0..<4 where code & (1 << bit) != 0 {
                    guard position < delta.count else { throw Self.damaged }
                    offset |= Int(delta[position]) << (8 * bit)
                    position += 1
                }
                for bit in 0..<3 where code & (0x10 << bit) != 0 {
                    guard position < delta.count else { throw Self.damaged }
                    count |= Int(delta[position]) << (8 * bit)
                    position += 1
                }
                if count == 0 { count = 0x10000 }
                guard offset + count <= base.count, written + count <= size, let start = base.baseAddress else {
                    throw Self.damaged
                }
                (result.pointer + written).copyMemory(from: start + offset, byteCount: count)
                written += count
            } else {
                let count = Int(code)
                guard count > 0, position + count <= delta.count, written + count <= size, let start = delta.baseAddress
                else { throw Self.damaged }
                (result.pointer + written).copyMemory(from: start + position, byteCount: count)
                position += count
                written += count
            }
        }
        guard written == size else { throw Self.damaged }
        return result
    }

    private static var damaged: GitReceiverError {
        GitReceiverError(.corrupt, "the pack is damaged: a delta is malformed")
    }

    /// A size: seven bits a byte, the lowest first.
    private static func number(
        _ delta: UnsafeRawBufferPointer, _ position: inout Int
    ) throws(GitReceiverError) -> Int {
        var (value, shift) = (0, 0)
        while position < delta.count, shift < 56 {
            let byte = delta[position]
            position += 1
            value |= Int(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
        throw Self.damaged
    }
}

extension GitReceiverError {
    static func objectTooLarge(_ size: Int, limit: Int) -> GitReceiverError {
        GitReceiverError(
            .limitExceeded,
            "an object of the pack has \(size >> 20) MiB; the limit of this server is \(limit >> 20)")
    }
}
