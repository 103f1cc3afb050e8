import Synchronization

/// Adds up how far the contents of an image have come.
package final class ImageMeter: Sendable {
    private struct State {
        /// Of the contents that are finished.
        var done: ImageProgress
        /// Of those that are on their way, by their digests.
        var moving: [String: Int64] = [:]
    }

    private let state: Mutex<State>
    /// Held while it is told, so that nothing is told twice at a time, or late.
    private let telling = Mutex(())
    private let tell: (@Sendable (ImageProgress) -> Void)?

    package init(_ contents: [ImageDescriptor], _ tell: (@Sendable (ImageProgress) -> Void)?) {
        self.state = Mutex(State(done: ImageProgress(bytes: contents.reduce(0) { $0 + $1.size })))
        self.tell = tell
        self.report()
    }

    /// The content was there.
    package func found(_ content: ImageDescriptor) {
        self.state.withLock { $0.done.bytesPresent += content.size }
        self.report()
    }

    /// So much of the content was moved. What is moved a second time after a failure does not count twice.
    package func moved(_ bytes: Int64, of content: ImageDescriptor) {
        self.state.withLock { $0.moving[content.digest] = max($0.moving[content.digest] ?? 0, bytes) }
        self.report()
    }

    /// The content is there; what of it was not moved was somewhere else in the store.
    package func finished(_ content: ImageDescriptor) {
        self.state.withLock { state in
            let moved = state.moving.removeValue(forKey: content.digest) ?? 0
            state.done.bytesMoved += moved
            state.done.bytesPresent += max(0, content.size - moved)
        }
        self.report()
    }

    private func report() {
        guard let tell else { return }
        self.telling.withLock { _ in
            tell(
                self.state.withLock { state in
                    var progress = state.done
                    progress.bytesMoved += state.moving.values.reduce(0, +)
                    return progress
                })
        }
    }
}
