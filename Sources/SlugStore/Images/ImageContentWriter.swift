import Crypto
import Synchronization

/// Content on its way into a layout, in pieces, from wherever: it is there once ``finish()`` has found that it is what its
/// descriptor says, and nothing stays of it otherwise.
package final class ImageContentWriter: Sendable {
    private struct State {
        let file: NewFile
        var hash = SHA256()
    }

    private let content: ImageDescriptor
    // A file is used on one thread at a time, which the lock sees to.
    private let state: Mutex<State>

    /// Begins to store content.
    package static func begin(
        _ content: ImageDescriptor, in layout: ImageLayout
    ) async throws(SlugStoreError) -> ImageContentWriter {
        try await BlockingWork.run { (_) throws(SlugStoreError) in try ImageContentWriter(content, in: layout) }
    }

    private init(_ content: ImageDescriptor, in layout: ImageLayout) throws(SlugStoreError) {
        self.content = content
        try layout.prepare()
        self.state = Mutex(State(file: try NewFile(at: try layout.path(of: content))))
    }

    /// What was stored so far.
    package var bytes: Int64 { self.state.withLock { $0.file.bytes } }

    /// Stores the next bytes.
    /// - Throws: ``SlugStoreError/Code/corrupted`` if there are more than there should be.
    package func append(_ bytes: [UInt8]) async throws(SlugStoreError) {
        try await BlockingWork.run { (_) throws(SlugStoreError) in
            try self.state.withLock { state in
                Result { () throws(SlugStoreError) in
                    guard state.file.bytes + Int64(bytes.count) <= self.content.size else {
                        throw .corrupted(
                            "\(self.content.digest) has more than the \(self.content.size) bytes that it should have.")
                    }
                    state.hash.update(data: bytes)
                    try state.file.append(bytes)
                }
            }.get()
        }
    }

    /// Checks what was stored, and keeps it.
    /// - Throws: ``SlugStoreError/Code/corrupted``.
    package func finish() async throws(SlugStoreError) {
        try await BlockingWork.run { (_) throws(SlugStoreError) in
            try self.state.withLock { state in
                Result { () throws(SlugStoreError) in
                    let digest = "sha256:\(hexadecimal(state.hash.finalize()))"
                    guard state.file.bytes == self.content.size, digest == self.content.digest else {
                        throw .corrupted(
                            "What came as \(self.content.digest) has \(state.file.bytes) of \(self.content.size) bytes and "
                                + "the digest \(digest).")
                    }
                    try state.file.publish(isDurable: true)
                }
            }.get()
        }
    }
}
