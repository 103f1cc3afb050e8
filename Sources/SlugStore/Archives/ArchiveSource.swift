/// The bytes of an archive as they come.
final class ArchiveSource {
    /// The next bytes, never none; `nil` at the end. May block.
    typealias Next = @Sendable () throws(SlugStoreError) -> [UInt8]?

    private let next: Next
    private let limit: Int64
    private var head: [UInt8] = []
    /// What was taken so far.
    private(set) var bytes: Int64 = 0

    init(limit: Int64, next: @escaping Next) {
        self.limit = limit
        self.next = next
    }

    /// The first bytes, at least `count` if there are so many. They are taken again by ``take()``.
    func peek(_ count: Int) throws(SlugStoreError) -> ArraySlice<UInt8> {
        while self.head.count < count, let bytes = try self.next() { self.head += bytes }
        return self.head.prefix(count)
    }

    /// The next bytes, never none; `nil` at the end.
    func take() throws(SlugStoreError) -> [UInt8]? {
        let bytes: [UInt8]
        if self.head.isEmpty {
            guard let next = try self.next() else { return nil }
            bytes = next
        } else {
            bytes = self.head
            self.head = []
        }
        self.bytes += Int64(bytes.count)
        guard self.bytes <= self.limit else {
            throw SlugStoreError(
                code: .limitExceeded, message: "The archive has more than \(self.limit) bytes, which is the limit.")
        }
        return bytes
    }
}
