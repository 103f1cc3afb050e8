import Synchronization

/// The one writer of a streamed response: data, progress and keep-alives take turns on it.
final class SideBandChannel: Sendable {
    enum Band: UInt8 { case data = 1, progress = 2, error = 3 }

    private struct State {
        var isBusy = false
        var waiters: [CheckedContinuation<Void, Never>] = []
        var isGone = false
        var lastWrite: Duration
        /// When the write that is under way began.
        var writingSince: Duration?
    }

    private let writer: any GitBodyWriter
    /// False for a client that did not ask for side bands: it gets the data bare, and no progress.
    private let usesBands: Bool
    private let stopwatch: Stopwatch
    /// How long one write may take.
    private let patience: Duration
    private let state: Mutex<State>

    init(_ writer: any GitBodyWriter, usesBands: Bool, clock: any Clock<Duration>, patience: Duration) {
        self.writer = writer
        self.usesBands = usesBands
        self.patience = patience
        self.stopwatch = Stopwatch(clock)
        self.state = Mutex(State(lastWrite: .zero))
    }

    /// Sends bytes on a band, in as many packets as they need.
    func send(_ bytes: [UInt8], on band: Band) async throws(GitReceiverError) {
        guard self.usesBands else {
            if band == .data { try await self.write(bytes) }
            return
        }
        let most = PktLine.maximumData - 1
        var framed: [UInt8] = []
        framed.reserveCapacity(bytes.count + 5 * (bytes.count / most + 1))
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(most)
            rest = rest.dropFirst(most)
            framed += PktLine.length(piece.count + 5) + [band.rawValue] + piece
        }
        if !framed.isEmpty { try await self.write(framed) }
    }

    /// Sends packets as they are.
    func sendRaw(_ bytes: [UInt8]) async throws(GitReceiverError) { try await self.write(bytes) }

    /// Sends an empty packet if nothing was sent for `interval`; returns how long to wait until the next look. Throws if
    /// the client does not take what is being sent.
    func keepAlive(every interval: Duration, on band: Band) async throws(GitReceiverError) -> Duration {
        let (silence, writing) = self.state.withLock { state in
            let now = self.stopwatch.elapsed()
            return (now - state.lastWrite, state.writingSince.map { now - $0 })
        }
        if let writing {
            guard writing < self.patience else {
                throw GitReceiverError(
                    .clientGone, "The client has taken nothing for \(self.patience.components.seconds) seconds.")
            }
            return interval
        }
        guard silence >= interval else { return interval - silence }
        if self.usesBands { try await self.write(PktLine.length(5) + [band.rawValue]) }
        return interval
    }

    /// Writes never overlap, and once one has failed all do.
    private func write(_ bytes: [UInt8]) async throws(GitReceiverError) {
        await self.take()
        defer { self.give() }
        guard !self.state.withLock({ $0.isGone }) else { throw Self.gone(nil) }
        self.state.withLock { $0.writingSince = self.stopwatch.elapsed() }
        defer { self.state.withLock { $0.writingSince = nil } }
        do {
            try await self.writer.write(bytes)
        } catch {
            self.state.withLock { $0.isGone = true }
            throw Self.gone(error)
        }
        self.state.withLock { $0.lastWrite = self.stopwatch.elapsed() }
    }

    private static func gone(_ cause: (any Error)?) -> GitReceiverError {
        GitReceiverError(.clientGone, "The client has gone.", cause: cause)
    }

    private func take() async {
        await withCheckedContinuation { continuation in
            let free = self.state.withLock { state in
                if state.isBusy {
                    state.waiters.append(continuation)
                    return false
                }
                state.isBusy = true
                return true
            }
            if free { continuation.resume() }
        }
    }

    private func give() {
        let next = self.state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.waiters.isEmpty else { return state.waiters.removeFirst() }
            state.isBusy = false
            return nil
        }
        next?.resume()
    }
}

extension SideBandChannel {
    /// Runs `body` while keep-alives fill the silence. If one of them finds the client gone, `body` is cancelled and
    /// awaited, and the error is thrown.
    func withKeepAlives<R: Sendable>(
        every interval: Duration, on band: Band, clock: any Clock<Duration>,
        _ body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        try await withThrowingTaskGroup(of: R?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                var wait = interval
                while (try? await clock.sleep(for: wait)) != nil {
                    wait = try await self.keepAlive(every: interval, on: band)
                }
                return nil
            }
            while let result = try await group.next() {
                guard let result else { continue }
                group.cancelAll()
                return result
            }
            throw CancellationError()
        }
    }
}

/// What a handler writes to.
struct SideBandProgress: ProgressWriter {
    let channel: SideBandChannel

    func write(_ text: String) async throws { try await self.channel.send(Array(text.utf8), on: .progress) }
}
