import Logging
import NIOCore
import NIOPosix
import Synchronization

#if os(Linux)
    import CRouterIO

    /// One router's part in hand-overs: first it takes over, then it waits for the next one.
    final class HandoverSession: Sendable {
        private let settings: Router.Handover
        private let blocking: NIOThreadPool
        private let logger: Logger
        private let path: HandoverPath
        private let offer = Mutex<HandoverOffer?>(nil)
        private let desk = Mutex<HandoverDesk?>(nil)

        /// Asks the router before this one, if there is one, for its sockets.
        ///
        /// - Parameter blocking: threads that may wait for it.
        static func begin(
            _ settings: Router.Handover, blocking: NIOThreadPool, logger: Logger
        ) async throws -> HandoverSession {
            let session = try HandoverSession(settings, blocking, logger)
            try await blocking.runIfActive { try session.ask() }
            return session
        }

        private init(
            _ settings: Router.Handover, _ blocking: NIOThreadPool, _ logger: Logger
        ) throws(RouterError) {
            self.settings = settings
            self.blocking = blocking
            self.logger = logger
            self.path = try HandoverPath(settings.path)
        }

        private func ask() throws {
            let process = try self.offer.withLock { offer in
                offer = try HandoverOffer.ask(self.settings)
                return offer?.process
            }
            guard let process else { return }
            self.logger.info(
                "router takes over",
                metadata: ["router.handover": "\(self.settings.path)", "router.predecessor": "\(process)"])
        }

        /// The socket for a listener: the other router's if it has one for the same address, else a new one.
        func socket(for listener: Router.Listener, backlog: Int32) throws(RouterError) -> ListeningSocket {
            let name = BackendAddress.ip(host: listener.host, port: listener.port).description
            guard listener.descriptor == nil, let descriptor = self.offer.withLock({ $0?.take(name) }) else {
                return try ListeningSocket(listener, backlog: backlog)
            }
            do throws(RouterError) {
                return try ListeningSocket(listener, adopting: descriptor, backlog: backlog)
            } catch {
                slipway_io_close(descriptor)
                throw error
            }
        }

        /// Has the other router stop accepting, and takes its place for those that come after.
        func claim(_ sockets: [ListeningSocket]) async throws {
            let ending = try await self.blocking.runIfActive {
                try self.offer.withLock { offer -> HandoverOffer.Ending? in
                    defer { offer = nil }
                    return try offer?.claim()
                }
            }
            if ending == .silent {
                self.logger.info(
                    "the router before this one has not said that it stopped accepting; this one accepts, too",
                    metadata: ["router.handover": "\(self.settings.path)"])
            }
            do throws(RouterError) {
                let desk = try HandoverDesk(self.path, sockets, self.settings, logger: self.logger)
                try self.path.publish()
                desk.start()
                self.desk.withLock { $0 = desk }
            } catch {
                // Where the other router has let go, to accept is worth more than the next hand-over.
                guard ending != nil else { throw error }
                self.logger.info(
                    "the router after this one cannot take over", metadata: ["router.error": "\(error)"])
            }
        }

        /// Says once that another router has everything it needs, and waits for this one to stop accepting.
        var claims: AsyncStream<Void>? { self.desk.withLock { $0?.claims } }

        /// This router has stopped accepting. When it returns, the sockets can be closed.
        func release() async { await self.desk.withLock { $0 }?.release() }

        /// Answers nobody any more.
        func stop() async {
            let desk = self.desk.withLock { desk in
                defer { desk = nil }
                return desk
            }
            await desk?.stop()
        }

        /// How long connections without a request are kept after this router has handed over.
        var idleGrace: Duration { self.settings.idleGrace }
    }
#else
    /// Only on Linux is there one; ``Router/Configuration`` says so.
    enum HandoverSession {
        static func begin(
            _ settings: Router.Handover, blocking: NIOThreadPool, logger: Logger
        ) async throws -> HandoverSession {
            throw RouterError(.invalidConfiguration, "The hand-over of the router needs Linux.")
        }
        func socket(for listener: Router.Listener, backlog: Int32) throws(RouterError) -> ListeningSocket {
            switch self {}
        }
        func claim(_ sockets: [ListeningSocket]) async throws { switch self {} }
        var claims: AsyncStream<Void>? { switch self {} }
        func release() async { switch self {} }
        func stop() async { switch self {} }
        var idleGrace: Duration { switch self {} }
    }
#endif
