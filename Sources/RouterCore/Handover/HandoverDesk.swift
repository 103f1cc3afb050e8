#if os(Linux)
    import CRouterIO
    import Logging
    import NIOCore
    import NIOPosix
    import Synchronization

    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Musl)
        import Musl
    #endif

    /// Where a running router is asked for its sockets. A thread of its own waits there; it has next to nothing to do.
    final class HandoverDesk: Sendable {
        private struct Orders {
            /// The router has stopped accepting.
            var hasReleased = false
            var isStopping = false
            /// Who waits until nobody is offered the sockets any more.
            var releasing: [CheckedContinuation<Void, Never>] = []
            /// The thread has read its last order.
            var hasEnded = false

            /// What the thread is to do now.
            mutating func take() -> Orders {
                defer { self.releasing = [] }
                self.hasEnded = self.isStopping
                return self
            }
        }

        /// Connections at once; further ones are closed.
        private static let maxPeers = 8
        /// How long nobody is accepted after the system had nothing to accept them with, in nanoseconds: 250 ms. The
        /// event would come again at once.
        private static let pause: UInt64 = 250_000_000

        private let path: HandoverPath
        private let sockets: [ListeningSocket]
        private let settings: Router.Handover
        private let logger: Logger
        private let orders = Mutex(Orders())
        private let wakeup: Int32
        private let threads = NIOThreadPool(numberOfThreads: 1)
        /// Says once that another router is ready to accept.
        let claims: AsyncStream<Void>
        private let claim: AsyncStream<Void>.Continuation

        init(
            _ path: HandoverPath, _ sockets: [ListeningSocket], _ settings: Router.Handover, logger: Logger
        ) throws(RouterError) {
            self.path = path
            self.sockets = sockets
            self.settings = settings
            self.logger = logger
            self.wakeup = slipway_io_eventfd_create()
            (self.claims, self.claim) = AsyncStream.makeStream(of: Void.self)
            guard self.wakeup >= 0 else {
                throw RouterError(
                    .handoverFailed, "The system gives the router no descriptor for its hand-over.",
                    cause: IOError(errnoCode: -self.wakeup, reason: "eventfd"))
            }
        }

        deinit { slipway_io_close(self.wakeup) }

        func start() {
            self.threads.start()
            self.threads.submit { _ in self.serve() }
        }

        /// The router has stopped accepting: the other one may begin.
        ///
        /// It returns once the sockets are offered to nobody any more, so that they can be closed: a descriptor that is
        /// closed while it is being sent could be something else by then.
        func release() async {
            await withCheckedContinuation { continuation in
                self.order { orders in
                    orders.hasReleased = true
                    guard orders.hasEnded else { return orders.releasing.append(continuation) }
                    continuation.resume()
                }
            }
        }

        /// Answers no more, and lets the path go.
        func stop() async {
            self.order { $0.isStopping = true }
            try? await self.threads.shutdownGracefully()
        }

        private func order(_ change: (inout Orders) -> Void) {
            self.orders.withLock { change(&$0) }
            slipway_io_eventfd_signal(self.wakeup)
        }

        // MARK: The thread

        private func serve() {
            var round = DeskRound(self.settings, self.logger)
            while true {
                let orders = self.orders.withLock { $0.take() }
                if orders.hasReleased || orders.isStopping { round.release() }
                for waiting in orders.releasing { waiting.resume() }
                if orders.isStopping { break }
                self.wait(&round)
            }
            self.path.remove()
            self.claim.finish()
        }

        private func wait(_ round: inout DeskRound) {
            let peers = round.peers
            let now = NIODeadline.now().uptimeNanoseconds
            // Of a negative descriptor nothing is heard.
            let listener = round.isPaused(now: now) ? -1 : self.path.descriptor
            var waiting = ([self.wakeup, listener] + peers).map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            let limit = round.nextDeadline.map { Int32(clamping: ($0 - min($0, now)) / 1_000_000 + 1) } ?? -1
            guard poll(&waiting, nfds_t(waiting.count), limit) >= 0 else {
                // Short of memory, or of descriptors: this wait needs neither.
                if errno != EINTR { poll(nil, 0, Int32(Self.pause / 1_000_000)) }
                return
            }
            if waiting[0].revents != 0 { slipway_io_eventfd_clear(self.wakeup) }
            let time = NIODeadline.now().uptimeNanoseconds
            for (peer, entry) in zip(peers, waiting.dropFirst(2)) where entry.revents != 0 {
                self.follow(round.received(from: peer, now: time), &round)
            }
            self.follow(round.expired(now: time), &round)
            if waiting[1].revents != 0 { self.accept(&round, now: time) }
        }

        private func accept(_ round: inout DeskRound, now: UInt64) {
            let descriptor = slipway_io_accept(self.path.descriptor, nil, nil)
            guard descriptor >= 0 else {
                if [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(-descriptor) { round.pausedUntil = now + Self.pause }
                return
            }
            let connection = HandoverConnection(descriptor)
            // The file's mode says the same. The superuser may do as it likes in any case.
            guard round.peers.count < Self.maxPeers, let peer = connection.peer,
                peer.user == geteuid() || peer.user == 0
            else { return }
            round.add(connection, process: peer.process, now: now)
        }

        private func follow(_ action: HandoverMachine.Action?, _ round: inout DeskRound) {
            switch action {
            case .offer(let peer): round.send(.offer(names: self.sockets.map(\.name)), self.sockets, to: peer)
            case .refuse(let peer, let reason):
                self.logger.info("a router is not handed over to", metadata: ["router.reason": "\(reason)"])
                round.send(.refusal(reason), to: peer)
                round.close(peer)
            case .release:
                self.logger.info("router hands over", metadata: ["router.handover": "\(self.settings.path)"])
                self.claim.yield()
            case .close(let peer): round.close(peer)
            case nil: break
            }
        }
    }

    /// The connections at the desk, of its thread alone.
    private struct DeskRound: ~Copyable {
        private final class Visitor {
            let connection: HandoverConnection
            let process: Int32
            /// When it must have said what it wants; nil once it has.
            var deadline: UInt64?

            init(_ connection: consuming HandoverConnection, process: Int32, deadline: UInt64) {
                self.connection = connection
                self.process = process
                self.deadline = deadline
            }
        }

        private var visitors: [Int32: Visitor] = [:]
        private var machine: HandoverMachine
        private let answerTimeout: UInt64
        private let logger: Logger
        /// Until when nobody is accepted.
        var pausedUntil: UInt64?

        init(_ settings: Router.Handover, _ logger: Logger) {
            self.logger = logger
            self.machine = HandoverMachine(offerTimeout: settings.offerTimeout.nanosecondsClamped)
            self.answerTimeout = settings.answerTimeout.nanosecondsClamped
        }

        var peers: [Int32] { Array(self.visitors.keys) }
        var nextDeadline: UInt64? {
            (self.visitors.values.compactMap(\.deadline) + [self.machine.deadline, self.pausedUntil].compactMap { $0 })
                .min()
        }

        mutating func isPaused(now: UInt64) -> Bool {
            if let until = self.pausedUntil, until <= now { self.pausedUntil = nil }
            return self.pausedUntil != nil
        }

        mutating func add(_ connection: consuming HandoverConnection, process: Int32, now: UInt64) {
            let descriptor = connection.descriptor
            self.visitors[descriptor] = Visitor(connection, process: process, deadline: now &+ self.answerTimeout)
        }

        mutating func received(from peer: Int32, now: UInt64) -> HandoverMachine.Action? {
            guard let visitor = self.visitors[peer] else { return nil }
            do throws(HandoverConnection.Failure) {
                // Descriptors that it may have sent are closed.
                switch try visitor.connection.receive().message {
                case .hello:
                    visitor.deadline = nil
                    return self.machine.hello(peer, process: visitor.process, now: now)
                case .ready: return self.machine.ready(peer)
                case .offer, .released, .refusal: return .close(peer)
                }
            } catch .malformed(.version(let version)) {
                return .refuse(
                    peer, "It speaks version \(HandoverMessage.version) of the hand-over, and the new one \(version).")
            } catch {
                return .close(peer)
            }
        }

        mutating func expired(now: UInt64) -> HandoverMachine.Action? {
            for (peer, visitor) in self.visitors where visitor.deadline.map({ $0 <= now }) == true {
                return .close(peer)
            }
            return self.machine.expire(now: now)
        }

        /// The sockets are the successor's, if there is one.
        mutating func release() {
            if let successor = self.machine.stop() { self.send(.released, to: successor) }
        }

        mutating func send(_ message: HandoverMessage, _ sockets: [ListeningSocket] = [], to peer: Int32) {
            // Whoever has gone is noticed when its end is read.
            try? self.visitors[peer]?.connection.send(message, sockets.map(\.descriptor))
        }

        mutating func close(_ peer: Int32) {
            if self.machine.left(peer) {
                self.logger.info("the router that was to take over has gone; this one goes on")
            }
            self.visitors[peer] = nil
        }
    }
#endif
