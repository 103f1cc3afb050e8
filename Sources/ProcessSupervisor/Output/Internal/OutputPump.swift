import Synchronization
package import SystemPackage

/// Reads one instance's FIFO and hands out its lines.
///
/// Between `start()` and `stop()` it reads whenever there is something, in a task that ends when there is nothing more:
/// an instance that is silent has none. `finish()` reads what is left after `stop()`.
final class OutputPump: Sendable {
    typealias Delivery = @Sendable ([LineSplitter.Line]) -> Void

    private struct State {
        var splitter: LineSplitter
        var meter: OutputMeter
        var drops = Drops()
        var isStopped = false
        /// The task that reads, or did so the last time.
        var turn: Task<Void, Never>?
        var watch: ReadWatch?
    }

    /// What was dropped and not told yet.
    private struct Drops {
        var lines = 0
        var bytes = 0
        /// When it began.
        var since = Duration.zero
    }

    private let source: Descriptor
    private let flushAfter: Duration
    private let clock: any Clock<Duration>
    private let policy: OutputPolicy
    private let now: @Sendable () -> Duration
    private let deliver: Delivery
    private let dropped: @Sendable (_ lines: Int, _ bytes: Int) -> Void
    private let state: Mutex<State>

    /// One read at most, so that a flood of one instance leaves the threads to others.
    private static let chunk = 65536
    /// What a FIFO can hold, at most; more is not from before the end.
    private static let rest = 2 << 20

    init(
        source: Descriptor, lineLimit: Int, flushAfter: Duration, policy: OutputPolicy, clock: any Clock<Duration>,
        deliver: @escaping Delivery, dropped: @escaping @Sendable (_ lines: Int, _ bytes: Int) -> Void
    ) {
        self.source = source
        self.flushAfter = flushAfter
        self.clock = clock
        self.policy = policy
        self.now = stopwatch(clock)
        self.deliver = deliver
        self.dropped = dropped
        self.state = Mutex(State(splitter: LineSplitter(limit: lineLimit), meter: OutputMeter(policy: policy)))
    }

    /// Begins to read. Called once.
    func start() {
        let watch = ReadWatch(self.source) { [weak self] in self?.turn() }
        self.state.withLock { $0.watch = watch }
        watch.arm()
    }

    /// Ends reading, and returns when nothing is read any more.
    func stop() async {
        let (watch, turn) = self.state.withLock { state in
            state.isStopped = true
            defer { (state.watch, state.turn) = (nil, nil) }
            return (state.watch, state.turn)
        }
        watch?.cancel()
        turn?.cancel()
        await turn?.value
    }

    private func turn() {
        self.state.withLock { state in
            guard !state.isStopped, let watch = state.watch else { return }
            // The one before has armed the watch and does nothing more.
            state.turn = Task {
                await self.read()
                watch.arm()
            }
        }
    }

    /// Reads until there is nothing more.
    private func read() async {
        while !Task.isCancelled {
            let (count, wait) = self.readSome()
            if let wait {
                // The pipe fills meanwhile, and whoever writes waits.
                try? await self.clock.sleep(for: wait)
            } else if count > 0 {
                await Task.yield()
            } else if self.state.withLock({ $0.splitter.hasPending }) {
                if await self.staysSilent() { return self.flushPartial() }
            } else {
                return
            }
        }
    }

    /// Reads what is left when nobody writes any more, and ends the last line.
    func finish() {
        var total = 0
        while total < Self.rest {
            let count = self.readSome().count
            if count == 0 { break }
            total += count
        }
        self.flush { $0.finish(into: &$1) }
        self.tell(self.state.withLock { Self.take(&$0.drops) })
    }

    /// Hands out the line that has begun, when another will read on.
    func flushPartial() { self.flush { $0.flushPartial(into: &$1) } }

    private func staysSilent() async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await self.source.wait(for: .readable)
                return false
            }
            group.addTask { (try? await self.clock.sleep(for: self.flushAfter)) != nil }
            let silent = await group.next() ?? false
            group.cancelAll()
            return silent
        }
    }

    /// The number of bytes that were there, and how long to wait before more is read.
    private func readSome() -> (count: Int, wait: Duration?) {
        let bytes = (try? readAvailable(self.source, limit: Self.chunk)) ?? []
        if bytes.isEmpty { return (0, nil) }
        let now = self.now()
        let (lines, wait, drops) = self.state.withLock { state in
            var lines: [LineSplitter.Line] = []
            state.splitter.append(bytes, into: &lines)
            let wait = state.meter.read(bytes.count, now: now)
            guard wait != nil, self.policy.excess == .drop else { return (lines, wait, Self.take(&state.drops)) }
            state.meter.forgive(bytes.count)
            if state.drops.bytes == 0 { state.drops.since = now }
            state.drops.lines += lines.count
            state.drops.bytes += bytes.count
            // Told when it is over, and while it goes on once a second.
            return ([], nil, now - state.drops.since >= .seconds(1) ? Self.take(&state.drops) : nil)
        }
        // In the order in which it was written: what was dropped comes before what was not any more.
        self.tell(drops)
        if !lines.isEmpty { self.deliver(lines) }
        return (bytes.count, wait)
    }

    private static func take(_ drops: inout Drops) -> Drops? {
        defer { drops = Drops() }
        return drops.bytes > 0 ? drops : nil
    }

    private func tell(_ drops: Drops?) {
        if let drops { self.dropped(drops.lines, drops.bytes) }
    }

    private func flush(_ change: (inout LineSplitter, inout [LineSplitter.Line]) -> Void) {
        let lines = self.state.withLock { state in
            var lines: [LineSplitter.Line] = []
            change(&state.splitter, &lines)
            return lines
        }
        if !lines.isEmpty { self.deliver(lines) }
    }
}

/// Reads once without waiting: nil at the end, empty when there is nothing now.
package func readAvailable(_ source: Descriptor, limit: Int) throws(Errno) -> [UInt8]? {
    let bytes: [UInt8]
    do {
        bytes = try [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            count = try source.file.read(into: UnsafeMutableRawBufferPointer(buffer))
        }
    } catch Errno.wouldBlock, Errno.resourceTemporarilyUnavailable {
        return []
    } catch let error as Errno {
        throw error
    } catch {
        return nil
    }
    return bytes.isEmpty ? nil : bytes
}
