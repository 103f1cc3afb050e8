#if os(Linux)
    import CRouterIO
    import NIOCore
    import NIOPosix
    import Synchronization

    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Musl)
        import Musl
    #endif

    /// One thread that waits for many sockets and serves them in turn.
    ///
    /// SwiftNIO's pipeline costs about as much again as everything the router itself does for a request. This loop does
    /// what a proxy of bytes needs and no more: one buffer to read into, edge-triggered events (a socket is registered
    /// once and never again), writes that go straight to the socket.
    ///
    /// - Note: `@unchecked Sendable`, because only ``execute(_:)``, ``stop()`` and ``isCurrent`` are for other threads,
    ///   and these touch nothing but `mailbox`, `thread` and the descriptor of `wakeup`, which is closed in `deinit`.
    ///   Everything else is touched by the thread in ``run()`` alone; ``assertOnLoop()`` checks it in debug builds.
    final class EpollLoop: @unchecked Sendable {
        private struct Mailbox {
            var work: [@Sendable () -> Void] = []
            var isStopped = false
            var hasEnded = false
        }

        private enum Registration {
            case none
            case stream(EpollStream)
            case listener(EpollListener)
        }

        private let epoll: Int32
        private let wakeup: Int32
        private let mailbox = Mutex(Mailbox())
        private let thread = Atomic<UInt>(0)

        // Of the loop's thread alone.
        private var registrations: [Registration] = []
        private var generations: [UInt32] = []
        private let readBuffer: Owned<ByteBuffer>
        private let readBufferBytes: Int
        private var later: [EpollStream] = []
        private var unsent: [EpollStream] = []
        private(set) var time: UInt64
        private var nextTick: UInt64
        private let tickInterval: UInt64
        let marks: WriteMarks
        /// Threads that may wait.
        let blocking: NIOThreadPool

        /// Called on the thread, every so often.
        var onTick: (() -> Void)?
        let ledger = BufferLedger()
        private var soon: [() -> Void] = []
        private var soonDue: UInt64 = .max

        /// - Throws: `IOError` when the system has no descriptors left.
        init(tickInterval: UInt64, readBufferBytes: Int, marks: WriteMarks, blocking: NIOThreadPool) throws {
            self.epoll = try Self.check(slipway_io_epoll_create(), "epoll_create1")
            do {
                self.wakeup = try Self.check(slipway_io_eventfd_create(), "eventfd")
            } catch {
                slipway_io_close(self.epoll)
                throw error
            }
            self.tickInterval = tickInterval
            self.marks = marks
            self.blocking = blocking
            self.readBufferBytes = readBufferBytes
            self.readBuffer = Owned(ByteBufferAllocator().buffer(capacity: readBufferBytes))
            self.time = NIODeadline.now().uptimeNanoseconds
            self.nextTick = self.time &+ tickInterval
            _ = slipway_io_epoll_add_listener(self.epoll, self.wakeup, Self.tag(self.wakeup, 0))
        }

        deinit {
            slipway_io_close(self.wakeup)
            slipway_io_close(self.epoll)
        }

        // MARK: From any thread

        var isCurrent: Bool { self.thread.load(ordering: .relaxed) == Self.currentThread }

        func execute(_ work: @escaping @Sendable () -> Void) -> Bool {
            let (isAccepted, mustWake) = self.mailbox.withLock { mailbox in
                if mailbox.hasEnded { return (false, false) }
                mailbox.work.append(work)
                return (true, mailbox.work.count == 1)
            }
            if mustWake { slipway_io_eventfd_signal(self.wakeup) }
            return isAccepted
        }

        /// Has ``run()`` return after the work that was sent before.
        func stop() {
            self.mailbox.withLock { $0.isStopped = true }
            slipway_io_eventfd_signal(self.wakeup)
        }

        // MARK: The thread

        /// Serves until ``stop()``.
        func run() {
            self.thread.store(Self.currentThread, ordering: .relaxed)
            withUnsafeTemporaryAllocation(of: slipway_io_event.self, capacity: Int(SLIPWAY_MAX_EVENTS)) { events in
                while true {
                    self.updateTime()
                    if self.time >= self.nextTick {
                        self.nextTick = self.time &+ self.tickInterval
                        self.onTick?()
                    }
                    if self.time >= self.soonDue { self.doSoon() }
                    self.flushUnsent()
                    let count = slipway_io_epoll_wait(self.epoll, events.baseAddress, self.waitMilliseconds)
                    // First what other threads have sent, so that a request which is here sees a route that was set before;
                    // and again at the end, because a signal may be cleared with the events.
                    if self.doWork() { break }
                    for index in 0..<max(0, Int(count)) {
                        self.dispatch(events[index])
                        if self.ledger.isDue { self.ledger.settle() }
                    }
                    self.serveLater()
                    if self.doWork() { break }
                }
            }
            self.flushUnsent()
            self.later = []
            for case .stream(let stream) in self.registrations { stream.abandon() }
            self.registrations = []
            self.onTick = nil
            self.soon = []
            self.ledger.relieve = {}
        }

        private var waitMilliseconds: Int32 {
            if !self.later.isEmpty { return 0 }
            let due = min(self.nextTick, self.soonDue)
            return due <= self.time ? 0 : Int32((due - self.time) / 1_000_000 + 1)
        }

        private func doSoon() {
            let work = self.soon
            self.soon = []
            self.soonDue = .max
            for item in work { item() }
        }

        private func dispatch(_ event: slipway_io_event) {
            let descriptor = Int(event.tag & 0xFFFF_FFFF)
            if descriptor == Int(self.wakeup) {
                slipway_io_eventfd_clear(self.wakeup)
                return
            }
            // Another event of this round may have closed it, and its number may be in use again.
            guard descriptor < self.registrations.count,
                self.generations[descriptor] == UInt32(truncatingIfNeeded: event.tag >> 32)
            else { return }
            switch self.registrations[descriptor] {
            case .none: break
            case .stream(let stream):
                self.updateTime()
                stream.handle(event.flags)
            case .listener(let listener): listener.accept()
            }
        }

        /// Does what other threads have sent; true when that was the last.
        private func doWork() -> Bool {
            let isQuiet = self.later.isEmpty
            let (work, hasEnded) = self.mailbox.withLock { mailbox in
                defer { if !mailbox.work.isEmpty { mailbox.work = [] } }
                mailbox.hasEnded = mailbox.isStopped && mailbox.work.isEmpty && isQuiet
                return (mailbox.work, mailbox.hasEnded)
            }
            for item in work { item() }
            return hasEnded
        }

        private func serveLater() {
            guard !self.later.isEmpty else { return }
            let streams = self.later
            self.later = []
            for stream in streams {
                stream.serveLater()
                if self.ledger.isDue { self.ledger.settle() }
            }
        }

        private func flushUnsent() {
            guard !self.unsent.isEmpty else { return }
            // A flush calls nobody back: the list stays as it is meanwhile.
            for stream in self.unsent { stream.flush() }
            self.unsent.removeAll(keepingCapacity: true)
        }

        /// Reads the clock: once per event, which is all the precision that latencies need.
        private func updateTime() { self.time = NIODeadline.now().uptimeNanoseconds }

        // MARK: What streams ask for

        /// Has a stream called again after this round of events.
        func callLater(_ stream: EpollStream) { self.later.append(stream) }

        /// Has a stream flush before the loop waits again.
        func flushSoon(_ stream: EpollStream) { self.unsent.append(stream) }

        func register(_ stream: EpollStream, writes: Bool) -> Bool {
            self.assertOnLoop()
            let tag = self.enter(.stream(stream), stream.descriptor)
            return slipway_io_epoll_add(self.epoll, stream.descriptor, tag, writes) == 0
        }

        func watchWrites(_ stream: EpollStream) {
            let tag = Self.tag(stream.descriptor, self.generations[Int(stream.descriptor)])
            _ = slipway_io_epoll_change(self.epoll, stream.descriptor, tag, true)
        }

        func register(_ listener: EpollListener) {
            self.assertOnLoop()
            let tag = self.enter(.listener(listener), listener.descriptor)
            _ = slipway_io_epoll_add_listener(self.epoll, listener.descriptor, tag)
        }

        /// Forgets a descriptor, which the caller closes or hands on.
        func unregister(_ descriptor: Int32) {
            guard Int(descriptor) < self.registrations.count else { return }
            self.registrations[Int(descriptor)] = .none
            self.generations[Int(descriptor)] &+= 1
            _ = slipway_io_epoll_remove(self.epoll, descriptor)
        }

        private func enter(_ registration: Registration, _ descriptor: Int32) -> UInt64 {
            let index = Int(descriptor)
            while self.registrations.count <= index {
                self.registrations.append(.none)
                self.generations.append(1)
            }
            self.registrations[index] = registration
            return Self.tag(descriptor, self.generations[index])
        }

        private static func tag(_ descriptor: Int32, _ generation: UInt32) -> UInt64 {
            UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
        }

        enum Reading {
            /// Some bytes; `isFull` when there may be more.
            case bytes(ByteBuffer, isFull: Bool)
            case end
            case nothing
            case failed
        }

        /// Reads into the one buffer that all streams share. As long as nobody keeps a part of it, it is used again.
        func receive(_ descriptor: Int32) -> Reading {
            let capacity = self.readBufferBytes
            // Its capacity is what it was made with, and after this nobody else has it.
            self.readBuffer.value.clear()
            let result = self.readBuffer.value.withVeryUnsafeMutableBytes { space in
                slipway_io_receive(descriptor, space.baseAddress, capacity)
            }
            if result > 0 {
                self.readBuffer.value.moveWriterIndex(to: result)
                return .bytes(self.readBuffer.value, isFull: result == capacity)
            }
            if result == 0 { return .end }
            return result == -Int(EAGAIN) ? .nothing : .failed
        }

        @inline(__always)
        func assertOnLoop() { assert(self.isCurrent, "the loop's own thread only") }

        private static var currentThread: UInt { UInt(pthread_self()) }

        private static func check(_ result: Int32, _ call: String) throws -> Int32 {
            guard result >= 0 else { throw IOError(errnoCode: -result, reason: call) }
            return result
        }
    }

    extension EpollLoop: LoopExecutor {}

    extension EpollLoop: StreamLoop {
        /// The time of the event that is being handled.
        func now() -> UInt64 { self.time }

        func callSoon(_ work: @escaping () -> Void) {
            self.soon.append(work)
            self.soonDue = min(self.soonDue, self.time &+ 5_000_000)
        }

        func connect(
            to instance: Instance, completion: @escaping ((any ByteStream)?) -> Void
        ) -> any PendingConnection {
            let connection = EpollConnection(self, completion: completion)
            connection.start(instance)
            return connection
        }
    }
#endif
