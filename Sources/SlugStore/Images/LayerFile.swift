import Crypto
import Synchronization
import SystemPackage

/// The stored bytes of a layer, hashed as they are read. Used on one thread, which is why what it holds need not be locked, but for the
/// compiler.
final class LayerFile: Sendable {
    private let content: ImageDescriptor
    private let path: FilePath
    private let file: Descriptor
    private let state: Mutex<(hash: SHA256, bytes: Int64)>

    init(_ content: ImageDescriptor, in layout: ImageLayout) throws(SlugStoreError) {
        self.content = content
        self.path = try layout.path(of: content)
        self.file = try Descriptor.regularFile(at: self.path)
        self.state = Mutex((SHA256(), 0))
    }

    /// The next bytes; `nil` at the end.
    func next() throws(SlugStoreError) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 256 << 10)
        let count = try bytes.withMutableBytes { buffer throws(SlugStoreError) in
            try self.file.read(into: buffer, "Reading \(self.path)")
        }
        guard count > 0 else { return nil }
        let read = Array(bytes[..<count])
        self.state.withLock { state in
            state.hash.update(data: read)
            state.bytes += Int64(count)
        }
        return read
    }

    /// Throws unless all that was read is what the descriptor says.
    func check() throws(SlugStoreError) {
        let (digest, bytes) = self.state.withLock { ("sha256:\(hexadecimal($0.hash.finalize()))", $0.bytes) }
        guard digest == self.content.digest, bytes == self.content.size else {
            throw .corrupted("It is not what its digest says: \(bytes) bytes with the digest \(digest).")
        }
    }
}
