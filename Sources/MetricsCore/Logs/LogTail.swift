/// An application's log as it grows: first the last lines, then each new one, without gap or duplicate.
///
/// A reader that is too slow loses the oldest lines it has not taken and is told how many: `… 12 lines dropped`.
/// The sequence ends when the reading task is cancelled or the application is removed. It is read once, by one task;
/// the hub forgets the reader when the tail and its iterators are gone.
public struct LogTail: AsyncSequence, Sendable {
    /// What the sequence is made of.
    public typealias Element = LogLine
    /// It never fails.
    public typealias Failure = Never

    private let subscription: LogSubscription

    init(subscription: LogSubscription) {
        self.subscription = subscription
    }

    /// Reads the lines.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let subscription: LogSubscription

        /// The next line; `nil` at the end or when the task is cancelled.
        public mutating func next() async -> LogLine? {
            await self.subscription.buffer.next()
        }

        /// The next line; `nil` at the end or when the task is cancelled.
        public mutating func next(isolation actor: isolated (any Actor)?) async -> LogLine? {
            await self.subscription.buffer.next()
        }
    }

    /// An iterator; all iterators of one tail share its lines.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(subscription: self.subscription)
    }
}

/// Ties a reader's buffer to its application's log for as long as somebody holds it.
final class LogSubscription: Sendable {
    let buffer: TailBuffer
    private let log: ApplicationLog?

    init(buffer: TailBuffer, log: ApplicationLog?) {
        self.buffer = buffer
        self.log = log
    }

    deinit {
        self.log?.unsubscribe(self.buffer)
        self.buffer.finish()
    }
}
