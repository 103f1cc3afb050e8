import Synchronization

/// Adds up how far the contents of an image have come, one after the other.
package final class ImageMeter: Sendable {
    private struct State {
        /// Of the contents that are finished.
        var done: ImageProgress
        /// Of the one that is on its way.
        var moving: Int64 = 0
    }

    private let state: Mutex<State>
    private let tell: (@Sendable (ImageProgress) -> Void)?

    package init(_ contents: [ImageDescriptor], _ tell: (@Sendable (ImageProgress) -> Void)?) {
        self.state = Mutex(State(done: ImageProgress(bytes: contents.reduce(0) { $0 + $1.size })))
        self.tell = tell
        self.report()
    }

    /// The next content was there.
    package func found(_ bytes: Int64) {
        self.state.withLock { $0.done.bytesPresent += bytes }
        self.report()
    }

    /// So much of the next content was moved. What is moved a second time after a failure does not count twice.
    package func moved(_ bytes: Int64) {
        self.state.withLock { $0.moving = max($0.moving, bytes) }
        self.report()
    }

    /// The next content is there; what of it was not moved was somewhere else in the store.
    package func finished(_ bytes: Int64) {
        self.state.withLock { state in
            state.done.bytesMoved += state.moving
            state.done.bytesPresent += max(0, bytes - state.moving)
            state.moving = 0
        }
        self.report()
    }

    private func report() {
        guard let tell else { return }
        tell(
            self.state.withLock { state in
                var progress = state.done
                progress.bytesMoved += state.moving
                return progress
            })
    }
}
