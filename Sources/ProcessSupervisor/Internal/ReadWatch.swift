import Dispatch
import Synchronization

/// Calls a function when a descriptor is readable, once for each time that it is armed. Nothing waits meanwhile: no
/// thread, and no task with its stack, of which a thousand idle instances would have thousands.
final class ReadWatch: Sendable {
    /// `idle` is suspended.
    private enum State { case new, idle, armed, cancelled }

    private let state = Mutex(State.new)
    private let source: Descriptor.Source

    /// - Parameters:
    ///   - descriptor: What is watched; it stays open until the event loop has let go of it.
    ///   - body: Called on the queue of all watches, which it must not keep waiting.
    init(_ descriptor: Descriptor, body: @escaping @Sendable () -> Void) {
        self.source = Descriptor.Source(
            DispatchSource.makeReadSource(fileDescriptor: descriptor.rawValue, queue: Descriptor.queue))
        self.source.source.setCancelHandler { withExtendedLifetime(descriptor) {} }
        self.source.source.setEventHandler { [weak self] in
            if self?.disarm() ?? false { body() }
        }
    }

    deinit { self.cancel() }

    /// The next time that the descriptor is readable, which may be now, the function is called.
    func arm() {
        self.state.withLock { state in
            switch state {
            case .new: self.source.source.activate()
            case .idle: self.source.source.resume()
            case .armed, .cancelled: return
            }
            state = .armed
        }
    }

    /// No call begins any more.
    func cancel() {
        self.state.withLock { state in
            if state == .cancelled { return }
            self.source.source.cancel()
            // A source has to run, if only to hear of its end.
            if state == .new { self.source.source.activate() }
            if state == .idle { self.source.source.resume() }
            state = .cancelled
        }
    }

    private func disarm() -> Bool {
        self.state.withLock { state in
            guard state == .armed else { return false }
            self.source.source.suspend()
            state = .idle
            return true
        }
    }
}
