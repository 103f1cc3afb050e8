import CZlib

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The bytes of one object, shared by all that need them for a while. Not Sendable: for one thread at a time.
final class ObjectBuffer {
    let pointer: UnsafeMutableRawPointer
    let count: Int

    /// One byte more than asked for is there, so that a stream which is too long is noticed.
    init(count: Int) throws(GitReceiverError) {
        // The size may be what a damaged pack says: no reason to end the process.
        guard count >= 0, count < 1 << 47, let pointer = malloc(count + 1) else {
            throw GitReceiverError(.storage, "There is no memory for an object of \(count >> 20) MiB.")
        }
        self.pointer = pointer
        self.count = count
    }

    deinit { free(self.pointer) }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: self.pointer, count: self.count) }

    /// The bytes as a zlib stream.
    func deflated() -> [UInt8] {
        var room = compressBound(UInt(self.count))
        return [UInt8](unsafeUninitializedCapacity: Int(room)) { buffer, count in
            compress2(
                buffer.baseAddress, &room, self.pointer.assumingMemoryBound(to: UInt8.self), UInt(self.count),
                Z_DEFAULT_COMPRESSION)
            count = Int(room)
        }
    }

    /// Hands over the bytes as a zlib stream, in pieces of 64 KiB at most.
    func deflate(
        _ take: (UnsafeRawBufferPointer) throws(GitReceiverError) -> Void
    ) throws(GitReceiverError) {
        // zlib remembers the address of its stream.
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        guard slipway_deflate_init(stream) == Z_OK else {
            throw GitReceiverError(.storage, "zlib could not be started.")
        }
        defer { deflateEnd(stream) }
        var output = [UInt8](repeating: 0, count: 1 << 16)
        var (given, code) = (0, Z_OK)
        while code != Z_STREAM_END {
            if stream.pointee.avail_in == 0, given < self.count {
                let part = min(self.count - given, 1 << 20)
                stream.pointee.next_in = (self.pointer + given).assumingMemoryBound(to: UInt8.self)
                stream.pointee.avail_in = UInt32(part)
                given += part
            }
            let flush = given == self.count ? Z_FINISH : Z_NO_FLUSH
            try output.withMutableRaw { output throws(GitReceiverError) in
                stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.pointee.avail_out = UInt32(output.count)
                code = CZlib.deflate(stream, flush)
                guard code == Z_OK || code == Z_STREAM_END else {
                    throw GitReceiverError(.storage, "An object could not be packed.")
                }
                try take(UnsafeRawBufferPointer(rebasing: output[..<(output.count - Int(stream.pointee.avail_out))]))
            }
        }
    }
}

/// The objects that deltas will probably ask for next, within a number of bytes; the oldest go first.
struct ObjectCache {
    private var buffers: [Int32: ObjectBuffer] = [:]
    private var order: [Int32] = []
    private var head = 0
    private var bytes = 0
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    subscript(index: Int32) -> ObjectBuffer? { self.buffers[index] }

    mutating func insert(_ buffer: ObjectBuffer, at index: Int32) {
        // An object that would push out most others is not worth it: it is read again if need be.
        guard buffer.count <= self.limit / 4, self.buffers[index] == nil else { return }
        self.buffers[index] = buffer
        self.order.append(index)
        // What a small object costs besides its bytes counts as well.
        self.bytes += buffer.count + 128
        while self.bytes > self.limit, self.head < self.order.count {
            if let old = self.buffers.removeValue(forKey: self.order[self.head]) { self.bytes -= old.count + 128 }
            self.head += 1
        }
        if self.head > 4096, self.head * 2 > self.order.count {
            self.order.removeFirst(self.head)
            self.head = 0
        }
    }
}

extension [UInt8] {
    /// `withUnsafeBytes` that keeps the type of what is thrown.
    func withRaw<R>(
        _ body: (UnsafeRawBufferPointer) throws(GitReceiverError) -> R
    ) throws(GitReceiverError) -> R {
        try self.withUnsafeBytes { bytes in
            Result { () throws(GitReceiverError) in try body(bytes) }
        }.get()
    }

    /// `withUnsafeMutableBytes` that keeps the type of what is thrown.
    mutating func withMutableRaw<R>(
        _ body: (UnsafeMutableRawBufferPointer) throws(GitReceiverError) -> R
    ) throws(GitReceiverError) -> R {
        try self.withUnsafeMutableBytes { bytes in
            Result { () throws(GitReceiverError) in try body(bytes) }
        }.get()
    }
}
