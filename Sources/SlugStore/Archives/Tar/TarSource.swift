import Crypto

/// The decompressed bytes of a tar archive on their way into libarchive: counted, and the headers kept to be looked at.
final class TarSource {
    private let source: ArchiveSource
    private let decompressor: any Decompressor
    private let limits: ArchiveExtractor.Limits
    private let earlierBytes: Int64
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 16)
    private var filled = 0
    private var pending: ArraySlice<UInt8> = []
    private var hasEnded = false
    /// What was handed out.
    private var position: Int64 = 0
    /// Where what follows is nothing but zeros.
    private var endOfContent: Int64 = 0
    /// While a header is read: where it starts and what was handed out since, the buffer's bytes not included.
    private var header: (start: Int64, earlier: [UInt8], earlierStart: Int64)? = (0, [], 0)
    /// What cannot be thrown through libarchive.
    private(set) var failure: SlugStoreError?
    private var hash: SHA256?

    /// - Parameters:
    ///   - earlierBytes: What archives before this one were decompressed to, for limits that are theirs too.
    ///   - hashes: Whether ``digest`` is wanted.
    init(
        _ source: ArchiveSource, _ compression: ArchiveCompression, limits: ArchiveExtractor.Limits,
        earlierBytes: Int64 = 0, hashes: Bool = false
    ) throws(SlugStoreError) {
        self.hash = hashes ? SHA256() : nil
        self.source = source
        self.limits = limits
        self.earlierBytes = earlierBytes
        self.decompressor = try compression.decompressor(limits)
    }

    deinit { self.buffer.deallocate() }

    /// The SHA-256 of what was decompressed so far, in hexadecimal; `nil` if that was not wanted.
    var digest: String? { self.hash.map { hexadecimal($0.finalize()) } }

    /// What was decompressed so far.
    var unpackedBytes: Int64 { self.position }

    /// What was taken of the archive as it came.
    var archiveBytes: Int64 { self.source.bytes }

    /// Bytes that stay where they are until the next call; none at the end; `nil` after a failure.
    func read() -> UnsafeRawBufferPointer? {
        do throws(SlugStoreError) {
            if let header {
                guard self.position - header.start <= Int64(self.limits.maxHeaderBytes) else {
                    throw SlugStoreError(
                        code: .limitExceeded,
                        message:
                            "The archive has a header of more than \(self.limits.maxHeaderBytes) bytes, which is the "
                            + "limit, at byte \(header.start) of its content.")
                }
                self.header?.earlier += self.buffer[..<self.filled]
            }
            try self.fill()
        } catch {
            self.failure = error
            return nil
        }
        return UnsafeRawBufferPointer(rebasing: self.buffer[..<self.filled])
    }

    /// From now on what is read is a header, of which the first byte is the next that libarchive has not consumed.
    func beginHeader(at start: Int64) {
        // The first one is read from the start on: libarchive looks at it to find out what the archive is.
        if self.header == nil { self.header = (start, [], self.position - Int64(self.filled)) }
    }

    /// What was read as a header, from one position to another; `nil` if that was not kept.
    func endHeader(from start: Int64, to end: Int64) -> [UInt8]? {
        guard let header = self.header.take() else { return nil }
        let bytes = header.earlier + self.buffer[..<self.filled]
        let (from, to) = (Int(start - header.earlierStart), Int(end - header.earlierStart))
        guard from >= 0, from <= to, to <= bytes.count else { return nil }
        return Array(bytes[from..<to])
    }

    /// Reads on to the end, where there may be nothing but zeros after the end mark.
    func drain(from end: Int64) throws(SlugStoreError) {
        self.header = nil
        repeat {
            guard self.endOfContent <= end else {
                throw SlugStoreError(
                    code: .invalidArchive,
                    message:
                        "The archive goes on after its end mark, at byte \(end) of its content: is it several archives "
                        + "in one?")
            }
            guard self.position - end <= Self.maxPadding else {
                throw SlugStoreError(
                    code: .limitExceeded,
                    message: "The archive has more than \(Self.maxPadding) bytes of zeros after its end mark.")
            }
            try self.fill()
        } while self.filled > 0
    }

    /// Writers fill up the last record, and records of a tape may be large.
    private static let maxPadding: Int64 = 16 << 20

    private func fill() throws(SlugStoreError) {
        self.filled = 0
        while !self.hasEnded {
            let (consumed, produced) = try self.decode()
            self.pending = self.pending.dropFirst(consumed)
            if produced > 0 { return try self.note(produced) }
            guard consumed == 0 else { continue }
            guard self.pending.isEmpty else {
                throw SlugStoreError(code: .invalidArchive, message: "The archive cannot be decompressed.")
            }
            if let bytes = try self.source.take() {
                self.pending = bytes[...]
            } else {
                self.hasEnded = true
                guard self.decompressor.isComplete else {
                    throw SlugStoreError(
                        code: .invalidArchive, message: "The archive is cut off: its compressed stream has no end.")
                }
            }
        }
    }

    private func decode() throws(SlugStoreError) -> (consumed: Int, produced: Int) {
        try self.pending.withUnsafeBytes { input in
            Result { () throws(SlugStoreError) in try self.decompressor.decode(input, into: self.buffer) }
        }.get()
    }

    private func note(_ count: Int) throws(SlugStoreError) {
        self.filled = count
        self.hash?.update(bufferPointer: UnsafeRawBufferPointer(rebasing: self.buffer[..<count]))
        if let last = self.buffer[..<count].lastIndex(where: { $0 != 0 }) {
            self.endOfContent = self.position + Int64(last) + 1
        }
        self.position += Int64(count)
        guard self.position <= self.limits.maxUnpackedBytes - self.earlierBytes else {
            throw SlugStoreError(
                code: .limitExceeded,
                message: "The archive unpacks to more than \(self.limits.maxUnpackedBytes) bytes, with all its headers."
            )
        }
        try self.limits.checkRatio(self.position, of: self.source.bytes, at: "byte \(self.position) of its content")
    }
}
