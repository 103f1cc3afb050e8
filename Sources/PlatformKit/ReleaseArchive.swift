public import SlugStore

/// The files of a release as an archive, in pieces, made while it is read. Its slug is kept for as long as this, or an iterator
/// of it, lives.
///
/// Iterating throws `SlugStoreError`.
public struct ReleaseArchive: AsyncSequence, Sendable {
    private let archive: TreeArchive
    private let claim: SlugClaim?

    init(_ archive: TreeArchive, claim: SlugClaim) {
        self.archive = archive
        self.claim = claim
    }

    /// Makes one of a tree that nobody removes.
    public init(_ archive: TreeArchive) {
        self.archive = archive
        self.claim = nil
    }

    /// Starts to pack.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: self.archive.makeAsyncIterator(), claim: self.claim)
    }

    /// Packs, as far as somebody asks for more.
    public struct AsyncIterator: AsyncIteratorProtocol {
        var base: TreeArchive.AsyncIterator
        let claim: SlugClaim?

        /// The next bytes, never none; `nil` at the end.
        public mutating func next() async throws(SlugStoreError) -> [UInt8]? { try await self.base.next() }

        /// The next bytes, never none; `nil` at the end.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(SlugStoreError) -> [UInt8]? { try await self.base.next(isolation: actor) }
    }
}
