internal import NIOCore
internal import Synchronization

/// Hands pieces from the writer of an archive to the request that uploads it, one at a time.
///
/// ``send(_:)`` returns only when the piece was taken, so that an archive is made no faster than the network takes it.
final class UploadChannel: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    private enum State {
        case idle
        case offered(ByteBuffer, CheckedContinuation<Void, any Error>)
        case wanted(CheckedContinuation<ByteBuffer?, any Error>)
        case finished((any Error)?)
    }

    private let state = Mutex(State.idle)

    /// Why the writer gave up, if it did.
    var failure: (any Error)? {
        self.state.withLock { state in
            if case .finished(let error?) = state, !(error is CancellationError) { return error }
            return nil
        }
    }

    /// Waits until the reader has taken the piece.
    func send(_ bytes: [UInt8]) async throws {
        let buffer = ByteBuffer(bytes: bytes)
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let resume = self.state.withLock { state -> (() -> Void)? in
                    switch state {
                    case .idle:
                        state = .offered(buffer, continuation)
                        return nil
                    case .wanted(let reader):
                        state = .idle
                        return {
                            reader.resume(returning: buffer)
                            continuation.resume()
                        }
                    case .finished(let error):
                        return { continuation.resume(throwing: error ?? CancellationError()) }
                    case .offered:
                        return { continuation.resume(throwing: ClientError(.invalid, "An archive has two writers.")) }
                    }
                }
                resume?()
            }
        } onCancel: {
            self.finish(CancellationError())
        }
    }

    /// Ends the sequence; both sides that wait are told. The first end counts.
    func finish(_ error: (any Error)?) {
        let resume = self.state.withLock { state -> (() -> Void)? in
            switch state {
            case .idle:
                state = .finished(error)
                return nil
            case .offered(_, let writer):
                state = .finished(error)
                return { writer.resume(throwing: error ?? CancellationError()) }
            case .wanted(let reader):
                state = .finished(error)
                return {
                    if let error { reader.resume(throwing: error) } else { reader.resume(returning: nil) }
                }
            case .finished:
                return nil
            }
        }
        resume?()
    }

    private func next() async throws -> ByteBuffer? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<ByteBuffer?, any Error>) in
                let resume = self.state.withLock { state -> (() -> Void)? in
                    switch state {
                    case .idle:
                        state = .wanted(continuation)
                        return nil
                    case .offered(let buffer, let writer):
                        state = .idle
                        return {
                            writer.resume()
                            continuation.resume(returning: buffer)
                        }
                    case .finished(let error):
                        return {
                            if let error { continuation.resume(throwing: error) } else { continuation.resume(returning: nil) }
                        }
                    case .wanted:
                        return { continuation.resume(throwing: ClientError(.invalid, "An archive has two readers.")) }
                    }
                }
                resume?()
            }
        } onCancel: {
            self.finish(CancellationError())
        }
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        let channel: UploadChannel

        mutating func next() async throws -> ByteBuffer? { try await self.channel.next() }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(channel: self) }
}
