/// The bytes of an archive on their way into libarchive.
final class ArchiveSource {
    /// The next bytes, never none; `nil` at the end. May block.
    typealias Next = @Sendable () throws(SlugStoreError) -> [UInt8]?

    private let next: Next
    private let limit: Int64
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 16)
    private var pending: ArraySlice<UInt8> = []
    /// What was taken from the source.
    private(set) var bytes: Int64 = 0
    /// How many zero bytes the archive has ended with so far.
    private(set) var trailingZeros: Int64 = 0
    /// What the source threw, which cannot be thrown through libarchive.
    private(set) var failure: SlugStoreError?

    init(limit: Int64, next: @escaping Next) {
        self.limit = limit
        self.next = next
    }

    deinit { self.buffer.deallocate() }

    /// Bytes that stay where they are until the next call; none at the end; `nil` after a failure.
    func read() -> UnsafeRawBufferPointer? {
        do throws(SlugStoreError) {
            if self.pending.isEmpty, let bytes = try self.take() { self.pending = bytes[...] }
        } catch {
            self.failure = error
            return nil
        }
        let count = min(self.pending.count, self.buffer.count)
        self.buffer.copyBytes(from: self.pending.prefix(count))
        self.pending = self.pending.dropFirst(count)
        return UnsafeRawBufferPointer(rebasing: self.buffer[..<count])
    }

    /// Takes what libarchive had no use for.
    func drain() throws(SlugStoreError) {
        self.pending = []
        while try self.take() != nil {}
    }

    private func take() throws(SlugStoreError) -> [UInt8]? {
        guard let bytes = try self.next() else { return nil }
        self.bytes += Int64(bytes.count)
        guard self.bytes <= self.limit else {
            throw SlugStoreError(
                code: .limitExceeded, message: "The archive has more than \(self.limit) bytes, which is the limit.")
        }
        if let last = bytes.lastIndex(where: { $0 != 0 }) {
            self.trailingZeros = Int64(bytes.count - 1 - last)
        } else {
            self.trailingZeros += Int64(bytes.count)
        }
        return bytes
    }
}
