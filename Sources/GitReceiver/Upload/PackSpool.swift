import Synchronization
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A pack on its way to a client, in a temporary file that has no name any more and vanishes with its descriptor.
final class PackSpool: Sendable {
    private struct State {
        var buffer: [UInt8] = []
        var written = 0
        var failure: GitReceiverError?
    }

    private static let pieceSize = 1 << 18
    private let descriptor: Int32
    private let limit: Int
    private let state = Mutex(State())

    init(in directory: FilePath, limit: Int) throws(GitReceiverError) {
        var template = Array(directory.appending("tmp_fetch_XXXXXX").string.utf8CString)
        let descriptor = template.withUnsafeMutableBufferPointer { $0.baseAddress.map { mkstemp($0) } ?? -1 }
        guard descriptor >= 0 else { throw Files.failure("A temporary file could not be created") }
        // Nobody whom the process starts is to have it.
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = template.withUnsafeBufferPointer { $0.baseAddress.map { unlink($0) } }
        self.descriptor = descriptor
        self.limit = limit
    }

    deinit { close(self.descriptor) }

    /// Adds a piece; false once the disk or the limit is full, and then ``rewind()`` says why.
    func append(_ piece: UnsafeRawBufferPointer) -> Bool {
        self.state.withLock { state in
            state.buffer.append(contentsOf: piece)
            guard state.buffer.count >= Self.pieceSize else { return true }
            return self.flush(&state)
        }
    }

    private func flush(_ state: inout State) -> Bool {
        var rest = state.buffer[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(self.descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                state.failure = Files.failure("The pack could not be stored")
                return false
            }
            rest = rest.dropFirst(count)
            state.written += count
        }
        state.buffer.removeAll(keepingCapacity: true)
        guard state.written <= self.limit else {
            state.failure = GitReceiverError(
                .limitExceeded, "The pack is larger than \(self.limit >> 20) MiB, the limit of this server.")
            return false
        }
        return true
    }

    /// Ends the writing; what follows is read from the start.
    func rewind() throws(GitReceiverError) {
        try self.state.withLock { state throws(GitReceiverError) in
            if state.failure == nil { _ = self.flush(&state) }
            // It may be long until all is read.
            state.buffer = []
            if let failure = state.failure { throw failure }
        }
        guard lseek(self.descriptor, 0, SEEK_SET) == 0 else { throw Files.failure("The pack could not be read") }
    }

    /// The next piece; empty at the end.
    func read() throws(GitReceiverError) -> [UInt8] {
        var count = 0
        let piece = [UInt8](unsafeUninitializedCapacity: Self.pieceSize) { buffer, initialized in
            repeat {
                count = Self.read(self.descriptor, buffer)
            } while count < 0 && errno == EINTR
            initialized = max(0, count)
        }
        guard count >= 0 else { throw Files.failure("The pack could not be read") }
        return piece
    }

    private static func read(_ descriptor: Int32, _ buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
        #if canImport(Glibc)
            Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        #elseif canImport(Musl)
            Musl.read(descriptor, buffer.baseAddress, buffer.count)
        #else
            Darwin.read(descriptor, buffer.baseAddress, buffer.count)
        #endif
    }
}
