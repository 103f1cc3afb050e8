import NIOPosix
import Synchronization

/// The engines that a router needs for its listeners.
struct Engines: Sendable {
    private let clear: any Engine
    private let secure: any Engine
    private let all: [any Engine]

    /// Starts them.
    ///
    /// - Parameter blocking: threads that may wait; they go on until the engines have stopped.
    init(_ router: Router, blocking: NIOThreadPool) async throws {
        let configuration = router.configuration
        let (routes, challenges, observer) = (router.state.withLock { $0.routes }, router.challenges, router.observer)
        let (wake, logger) = (router.wake, router.logger)
        let census = ConnectionCensus(configuration)
        let share = configuration.bufferShare
        let makeWorker = { @Sendable (loop: any StreamLoop) in
            loop.ledger.limit = share
            return Worker(
                loop: loop, configuration: configuration, census: census, routes: routes, challenges: challenges,
                wake: wake, observer: observer, blocking: blocking, logger: logger,
                seed: UInt64.random(in: .min ... .max))
        }
        let acceptor = router.certificates.map {
            TLSAcceptor(certificates: $0, challenges: challenges ?? ACMEChallenges())
        }
        #if os(Linux)
            if !configuration.prefersChannels {
                let own = try EpollEngine(configuration, blocking: blocking, makeWorker: makeWorker)
                self.clear = own
                if configuration.hasLoopsOfBothKinds {
                    self.secure = try await ChannelEngine(configuration, acceptor: acceptor, makeWorker: makeWorker)
                    self.all = [own, self.secure]
                } else {
                    self.secure = own
                    self.all = [own]
                }
                census.attach(self.workers)
                return
            }
        #endif
        self.clear = try await ChannelEngine(configuration, acceptor: acceptor, makeWorker: makeWorker)
        self.secure = self.clear
        self.all = [self.clear]
        census.attach(self.workers)
    }

    var workers: [WorkerHandle] { self.all.flatMap(\.workers) }

    func accept(on socket: ListeningSocket) async throws(RouterError) {
        try await (socket.listener.security == .tls ? self.secure : self.clear).accept(on: socket)
    }

    func stopAccepting() async {
        for engine in self.all { await engine.stopAccepting() }
    }

    func stop() async {
        for engine in self.all { await engine.stop() }
    }
}
