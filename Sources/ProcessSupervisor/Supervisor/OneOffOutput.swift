import Synchronization
import SystemPackage

/// Hands a one-off's output on, piece by piece: it reads no more before the piece is taken, so that a slow reader slows
/// the process down, and what waits is what the kernel holds.
final class OneOffOutput: Sendable {
    typealias Delivery = @Sendable ([UInt8]) async throws -> Void

    private struct State {
        var isFinishing = false
        var waiting: Task<Void, Never>?
        var reading: Task<Bool, Never>?
    }
    private let state = Mutex(State())
    private let source: Descriptor
    private let deliver: Delivery

    /// One read at most.
    private static let piece = 65536
    /// What the kernel may hold when everybody has ended: more is from somebody who got away.
    private static let rest = 2 << 20

    init(_ source: Descriptor, deliver: @escaping Delivery) {
        self.source = source
        self.deliver = deliver
    }

    /// Reads to the end, or until it is finished or abandoned. Returns whether the reader took all of it.
    func run() async -> Bool {
        // A task of its own, so that it ends when it is told to and not with its caller.
        let reading = Task { await self.read() }
        self.state.withLock { $0.reading = reading }
        return await reading.value
    }

    /// Nobody writes any more: what is there now is the rest.
    func finish() {
        self.state.withLock { state in
            state.isFinishing = true
            state.waiting?.cancel()
        }
    }

    /// Nobody wants the rest.
    func abandon() {
        self.finish()
        self.state.withLock { $0.reading }?.cancel()
    }

    private func read() async -> Bool {
        var rest = Self.rest
        while !Task.isCancelled {
            guard let bytes = try? readAvailable(self.source, limit: Self.piece) else { return true }
            let isFinishing = self.state.withLock { $0.isFinishing }
            if bytes.isEmpty {
                if isFinishing { return true }
                await self.wait()
                continue
            }
            do { try await self.deliver(bytes) } catch { return false }
            if isFinishing {
                rest -= bytes.count
                if rest <= 0 { return true }
            }
            await Task.yield()
        }
        return false
    }

    private func wait() async {
        let waiting = self.state.withLock { state -> Task<Void, Never>? in
            if state.isFinishing { return nil }
            let task = Task { await self.source.wait(for: .readable) }
            state.waiting = task
            return task
        }
        await withTaskCancellationHandler {
            await waiting?.value
        } onCancel: {
            waiting?.cancel()
        }
    }
}
