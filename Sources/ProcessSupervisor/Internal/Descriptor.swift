import CProcessLauncher
import Dispatch
import Synchronization
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Owns an open descriptor, closes it, and waits for it without a thread.
package final class Descriptor: Sendable {
    /// What to wait for.
    package enum Direction: Sendable { case readable, writable }

    package let file: FileDescriptor
    package var rawValue: Int32 { self.file.rawValue }

    static let queue = DispatchQueue(label: "slipway.process-supervisor.descriptors")

    package init(owning rawValue: Int32) { self.file = FileDescriptor(rawValue: rawValue) }

    deinit { try? self.file.close() }

    /// Returns when the descriptor is ready (or broken), or when the calling task is cancelled.
    package func wait(for direction: Direction) async {
        if self.isReady(for: direction) { return }
        let wait = Wait()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let rawValue = self.rawValue
                let source =
                    switch direction {
                    case .readable:
                        Source(DispatchSource.makeReadSource(fileDescriptor: rawValue, queue: Self.queue))
                    case .writable:
                        Source(DispatchSource.makeWriteSource(fileDescriptor: rawValue, queue: Self.queue))
                    }
                let cancellation = DispatchWorkItem {
                    // Only now has the event loop let go of the descriptor, and it may be closed.
                    withExtendedLifetime(self) { continuation.resume() }
                }
                source.source.setEventHandler { wait.end() }
                source.source.setCancelHandler(handler: cancellation)
                wait.begin(source)
            }
        } onCancel: {
            wait.end()
        }
    }

    private func isReady(for direction: Direction) -> Bool {
        var entry = pollfd(fd: self.rawValue, events: Int16(direction == .readable ? POLLIN : POLLOUT), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    /// Sendable, because what is done with it across threads is to activate, suspend, resume and cancel it, which
    /// libdispatch allows from any.
    struct Source: @unchecked Sendable {
        let source: any DispatchSourceProtocol
        init(_ source: any DispatchSourceProtocol) { self.source = source }
    }

    /// One wait: begun and ended once each, in either order.
    private final class Wait: Sendable {
        private enum State { case idle, waiting(Source), ended }
        private let state = Mutex(State.idle)

        func begin(_ source: Source) {
            // A source must be running for its cancel handler to be called.
            source.source.activate()
            let alreadyEnded = self.state.withLock { state in
                if case .ended = state { return true }
                state = .waiting(source)
                return false
            }
            if alreadyEnded { source.source.cancel() }
        }

        func end() {
            self.state.withLock { state in
                if case .waiting(let source) = state { source.source.cancel() }
                state = .ended
            }
        }
    }
}

extension Descriptor {
    /// A pipe to a process. One end is ours and does not block; the process's end does, as programs expect.
    package static func pipe(
        nonBlocking end: Direction
    ) throws(SupervisorError) -> (read: Descriptor, write: Descriptor) {
        var ends: [Int32] = [-1, -1]
        let error = slipway_pipe(&ends, end == .readable ? 0 : 1)
        guard error == 0 else {
            throw SupervisorError(code: .launchFailed, message: "cannot make a pipe: \(describe(errno: error))")
        }
        return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
    }
}

/// The text of an errno, such as "No such file or directory".
package func describe(errno: Int32) -> String { Errno(rawValue: errno).description }
