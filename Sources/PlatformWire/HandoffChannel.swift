internal import Synchronization

/// Hands elements from the tasks that make them to the one that sends them, one at a time.
///
/// ``send(_:)`` returns only when the element was taken, so that nothing is made faster than the network takes it; senders
/// that wait are served in order. It holds nothing but what they offer.
package final class HandoffChannel<Element: Sendable>: AsyncSequence, Sendable {
    private struct Offer {
        var id: Int
        var element: Element
        var continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var offers: [Offer] = []
        var reader: CheckedContinuation<Element?, any Error>?
        var isFinished = false
        var failure: (any Error)?
        var nextID = 0
        var cancelledEarly: Set<Int> = []
    }

    private let state = Mutex(State())

    package init() {}

    /// Why the channel was finished, if that was by an error.
    package var failure: (any Error)? { self.state.withLock { $0.failure } }

    /// Waits until the reader has taken the element.
    ///
    /// Throws what the channel was finished with, and `CancellationError` when it is finished or the task is cancelled; the
    /// element is then not delivered.
    package func send(_ element: Element) async throws {
        let id = self.state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        defer { _ = self.state.withLock { $0.cancelledEarly.remove(id) } }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let resume = self.state.withLock { state -> (() -> Void)? in
                    if state.isFinished {
                        let error = state.failure ?? CancellationError()
                        return { continuation.resume(throwing: error) }
                    }
                    if state.cancelledEarly.remove(id) != nil {
                        return { continuation.resume(throwing: CancellationError()) }
                    }
                    if let reader = state.reader {
                        state.reader = nil
                        return {
                            reader.resume(returning: element)
                            continuation.resume()
                        }
                    }
                    state.offers.append(Offer(id: id, element: element, continuation: continuation))
                    return nil
                }
                resume?()
            }
        } onCancel: {
            let offer = self.state.withLock { state -> Offer? in
                guard let index = state.offers.firstIndex(where: { $0.id == id }) else {
                    // Either it was taken, which leaves a number behind, or it is about to be offered.
                    if !state.isFinished { state.cancelledEarly.insert(id) }
                    return nil
                }
                return state.offers.remove(at: index)
            }
            offer?.continuation.resume(throwing: CancellationError())
        }
    }

    /// Ends the sequence, with an error or without; senders that wait are refused. The first end counts.
    package func finish(_ error: (any Error)? = nil) {
        let (offers, reader) = self.state.withLock { state -> ([Offer], CheckedContinuation<Element?, any Error>?) in
            guard !state.isFinished else { return ([], nil) }
            state.isFinished = true
            state.failure = error
            defer {
                state.offers = []
                state.reader = nil
                state.cancelledEarly = []
            }
            return (state.offers, state.reader)
        }
        for offer in offers { offer.continuation.resume(throwing: error ?? CancellationError()) }
        if let error { reader?.resume(throwing: error) } else { reader?.resume(returning: nil) }
    }

    private func next() async throws -> Element? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Element?, any Error>) in
                let resume = self.state.withLock { state -> (() -> Void)? in
                    if !state.offers.isEmpty {
                        let offer = state.offers.removeFirst()
                        return {
                            offer.continuation.resume()
                            continuation.resume(returning: offer.element)
                        }
                    }
                    if state.isFinished {
                        let failure = state.failure
                        return {
                            if let failure {
                                continuation.resume(throwing: failure)
                            } else {
                                continuation.resume(returning: nil)
                            }
                        }
                    }
                    // A sequence has one reader; a second one finds its end.
                    guard state.reader == nil else { return { continuation.resume(returning: nil) } }
                    state.reader = continuation
                    return nil
                }
                resume?()
            }
        } onCancel: {
            self.finish(CancellationError())
        }
    }

    package struct AsyncIterator: AsyncIteratorProtocol {
        let channel: HandoffChannel

        package mutating func next() async throws -> Element? { try await self.channel.next() }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(channel: self) }
}
