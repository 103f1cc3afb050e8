import Synchronization

/// Verifies frames that arrive from a remote, and stores them locally when enough have come together. What was stored stays,
/// whatever happens to the rest: it is not fetched again.
final class FrameSink: Sendable {
    private struct State {
        var frames: [LocalSlugRepository.StoredFrame] = []
        var bytes = 0
    }

    /// `nil` only verifies.
    private let local: LocalSlugRepository?
    private let limit: Int
    private let state = Mutex(State())

    init(into local: LocalSlugRepository?, limit: Int) {
        self.local = local
        self.limit = limit
    }

    /// Takes the frames of a request's answer.
    func take(
        _ bytes: [UInt8], of request: FetchPlan.Request, in pack: RemotePacks.Pack
    ) async throws(SlugStoreError) {
        guard bytes.count == request.range.count else {
            throw .corrupted("The pack \(pack.name) of the remote ends after \(bytes.count) of a range's bytes.")
        }
        let frames = try await BlockingWork.run { cancellation throws(SlugStoreError) in
            let decompressor = try ZstdDecompressor()
            var frames: [LocalSlugRepository.StoredFrame] = []
            for number in request.frames {
                try cancellation.check()
                let frame = pack.frames[number]
                let start = Int(Int64(frame.offset) - request.range.lowerBound)
                let stored = Array(bytes[start..<start + frame.storedBytes])
                guard try Self.isSound(stored, frame, decompressor) else {
                    throw .corrupted(
                        "The frame at \(frame.offset) of the pack \(pack.name) of the remote is damaged. Remove the slugs that "
                            + "need it, collect garbage and deploy them again.")
                }
                frames.append(.init(stored: stored, bytes: frame.bytes, chunks: frame.chunks))
            }
            return frames
        }
        guard self.local != nil else { return }
        let due = self.state.withLock { state in
            state.frames += frames
            state.bytes += frames.reduce(0) { $0 + $1.stored.count }
            return state.bytes >= self.limit ? Self.empty(&state) : []
        }
        try await self.store(due)
    }

    /// Stores what has come.
    func flush() async throws(SlugStoreError) { try await self.store(self.state.withLock { Self.empty(&$0) }) }

    private static func empty(_ state: inout State) -> [LocalSlugRepository.StoredFrame] {
        defer { state = State() }
        return state.frames
    }

    private func store(_ frames: [LocalSlugRepository.StoredFrame]) async throws(SlugStoreError) {
        guard let local, !frames.isEmpty else { return }
        try await local.adopt(frames)
    }

    private static func isSound(
        _ stored: [UInt8], _ frame: PackFormat.Frame, _ decompressor: borrowing ZstdDecompressor
    ) throws(SlugStoreError) -> Bool {
        let content = UnsafeMutableRawBufferPointer.allocate(byteCount: max(frame.bytes, 1), alignment: 16)
        defer { content.deallocate() }
        let target = UnsafeMutableRawBufferPointer(rebasing: content[..<frame.bytes])
        let isWhole = stored.withUnsafeBytes {
            PackFormat.checksum($0) == frame.checksum && decompressor.decompress($0, into: target)
        }
        guard isWhole else { return false }
        var offset = 0
        for chunk in frame.chunks {
            let bytes = UnsafeRawBufferPointer(rebasing: target[offset..<offset + chunk.length])
            guard ChunkID(of: bytes) == chunk.id else { return false }
            offset += chunk.length
        }
        return true
    }
}
