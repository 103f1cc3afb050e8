/// Source that can be uploaded as one archive.
///
/// ## Promises a conformer keeps
/// - ``write(to:)`` hands over the whole archive in order, and returns after the last byte.
/// - It waits for each call of the sink: that is how the upload slows it down.
/// - It throws what the sink throws, and at its next step when its task is cancelled.
public protocol ArchiveSource: Sendable {
    /// `application/x-tar`, `application/gzip` or `application/zstd`.
    var mediaType: String { get }
    /// What it is, in words: `archive site.tar.gz`.
    var description: String { get }
    /// How many bytes it has, if that is known before.
    var length: Int64? { get }
    /// Hands the archive over, piece by piece.
    func write(to sink: @escaping @Sendable ([UInt8]) async throws -> Void) async throws
}
