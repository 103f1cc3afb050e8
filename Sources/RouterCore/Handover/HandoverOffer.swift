#if os(Linux)
    import CRouterIO
    import NIOCore
    import SystemPackage

    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Musl)
        import Musl
    #endif

    /// What the router before this one has offered: its sockets, of which this one keeps those that it is to listen on.
    struct HandoverOffer: ~Copyable {
        private let connection: HandoverConnection
        private let settings: Router.Handover
        private var sockets: [(name: String, descriptor: Int32)]
        let process: Int32

        /// Asks at the path; nil when nobody is there. Waits as long as an answer may take.
        static func ask(_ settings: Router.Handover) throws(RouterError) -> HandoverOffer? {
            let descriptor = slipway_io_local_connect(settings.path.string)
            switch -descriptor {
            case ...0: break
            // Nothing there, or what a router has left that was killed.
            case ENOENT, ECONNREFUSED: return nil
            case EPROTOTYPE, ENOTSOCK:
                throw Self.failure(settings, "what listens there is no router.")
            case let code:
                throw Self.failure(settings, "it cannot be asked.", IOError(errnoCode: code, reason: "connect"))
            }
            return try Self.receive(HandoverConnection(descriptor), settings)
        }

        private static func receive(
            _ connection: consuming HandoverConnection, _ settings: Router.Handover
        ) throws(RouterError) -> HandoverOffer {
            // Whoever else could listen there could take the sockets, too; but not these connections.
            guard let peer = connection.peer, peer.user == geteuid() || peer.user == 0 else {
                throw Self.failure(settings, "it belongs to another user.")
            }
            let received: HandoverConnection.Received?
            do {
                try connection.send(.hello)
                received = try connection.receive(within: settings.answerTimeout)
            } catch {
                throw Self.failure(settings, "it broke off.", error)
            }
            guard var received else {
                throw Self.failure(settings, "it did not answer within \(settings.answerTimeout).")
            }
            switch received.message {
            case .offer(let names):
                let descriptors = received.descriptors.take()
                // Surplus ones are of no use to anybody.
                for surplus in descriptors.dropFirst(names.count) { slipway_io_close(surplus) }
                return HandoverOffer(
                    connection, settings, sockets: zip(names, descriptors).map { (name: $0, descriptor: $1) },
                    process: peer.process)
            case .refusal(let reason): throw Self.refusal(settings, reason)
            case .hello, .ready, .released: throw Self.failure(settings, "it answered out of turn.")
            }
        }

        private init(
            _ connection: consuming HandoverConnection, _ settings: Router.Handover,
            sockets: [(name: String, descriptor: Int32)], process: Int32
        ) {
            self.connection = connection
            self.settings = settings
            self.sockets = sockets
            self.process = process
        }

        deinit { for socket in self.sockets { slipway_io_close(socket.descriptor) } }

        /// The socket of an address, if it is among them; the caller owns it.
        mutating func take(_ name: String) -> Int32? {
            guard let index = self.sockets.firstIndex(where: { $0.name == name }) else { return nil }
            return self.sockets.remove(at: index).descriptor
        }

        enum Ending: Equatable {
            case released
            /// It has died, so that nobody else accepts.
            case gone
            /// It has not said that it stopped accepting. It may still accept, which does no harm: each connection is
            /// given to one of the two.
            case silent
        }

        /// Says that this router is ready, and waits until the other one has stopped accepting.
        ///
        /// - Throws: ``RouterError`` when it has withdrawn its offer.
        func claim() throws(RouterError) -> Ending {
            // What it said before it left can still be read.
            try? self.connection.send(.ready)
            do throws(HandoverConnection.Failure) {
                switch try self.connection.receive(within: self.settings.answerTimeout)?.message {
                case .released: return .released
                case nil: return .silent
                case .refusal(let reason): throw HandoverConnection.Failure.refused(reason)
                case .hello, .offer, .ready: return .silent
                }
            } catch .refused(let reason) {
                throw Self.refusal(self.settings, reason)
            } catch {
                return .gone
            }
        }

        private static func refusal(_ settings: Router.Handover, _ reason: String) -> RouterError {
            RouterError(
                .handoverRefused,
                "The router that listens at the hand-over path '\(settings.path)' does not hand over. \(reason)")
        }

        private static func failure(
            _ settings: Router.Handover, _ what: String, _ cause: (any Error)? = nil
        ) -> RouterError {
            RouterError(
                .handoverFailed,
                "The router cannot take over at the hand-over path '\(settings.path)': \(what) Is another program using the "
                    + "path?", cause: cause)
        }
    }
#endif
