import CZlib

/// Unpacks the zlib streams of a pack, one after the other. Not Sendable: for one thread at a time.
final class Inflater {
    /// zlib remembers the address of its stream.
    private let stream: UnsafeMutablePointer<z_stream>
    private var produced = 0
    private var target: ObjectBuffer?

    init() throws(GitReceiverError) {
        self.stream = .allocate(capacity: 1)
        self.stream.initialize(to: z_stream())
        guard slipway_inflate_init(self.stream) == Z_OK else {
            throw GitReceiverError(.storage, "zlib could not be started.")
        }
    }

    deinit {
        inflateEnd(self.stream)
        self.stream.deallocate()
    }

    /// Begins a stream that has to unpack to exactly `size` bytes.
    func start(size: Int) throws(GitReceiverError) {
        inflateReset(self.stream)
        self.produced = 0
        self.target = try ObjectBuffer(count: size)
    }

    /// Takes input; returns how much of it belongs to the stream, and the result once it is complete.
    func feed(_ input: UnsafeRawBufferPointer) throws(GitReceiverError) -> (consumed: Int, done: ObjectBuffer?) {
        guard let target = self.target, let start = input.baseAddress else { return (0, nil) }
        self.stream.pointee.next_in = UnsafeMutablePointer(
            mutating: start.assumingMemoryBound(to: UInt8.self))
        self.stream.pointee.avail_in = UInt32(input.count)
        while true {
            let room = min(target.count + 1 - self.produced, 1 << 30)
            self.stream.pointee.next_out = (target.pointer + self.produced).assumingMemoryBound(to: UInt8.self)
            self.stream.pointee.avail_out = UInt32(room)
            let code = inflate(self.stream, Z_NO_FLUSH)
            self.produced += room - Int(self.stream.pointee.avail_out)
            let consumed = input.count - Int(self.stream.pointee.avail_in)
            guard self.produced <= target.count else {
                throw GitReceiverError(.corrupt, "the pack is damaged: an object is larger than it says")
            }
            switch code {
            case Z_STREAM_END:
                guard self.produced == target.count else {
                    throw GitReceiverError(.corrupt, "the pack is damaged: an object is smaller than it says")
                }
                self.target = nil
                return (consumed, target)
            case Z_OK where self.stream.pointee.avail_in > 0 || self.stream.pointee.avail_out == 0: continue
            case Z_OK, Z_BUF_ERROR: return (consumed, nil)
            default: throw GitReceiverError(.corrupt, "the pack is damaged: an object is not valid zlib data")
            }
        }
    }
}
