#if os(Linux)
    import CRouterIO
    import NIOCore
    import NIOPosix
    import Synchronization

    /// Clear text on Linux: loops of the router's own.
    final class EpollEngine: Engine {
        private struct Place: Sendable {
            var loop: EpollLoop
            var worker: WorkerHandle
        }

        private let places: [Place]
        private let threads: NIOThreadPool
        private let listening = Mutex<[Int32]>([])
        private let configuration: Router.Configuration

        /// Starts the threads.
        ///
        /// - Parameter makeWorker: makes the worker that lives on a loop, before the loop runs.
        init(_ configuration: Router.Configuration, makeWorker: (any StreamLoop) -> Worker) throws(RouterError) {
            self.configuration = configuration
            do {
                self.places = try (0..<configuration.threads).map { _ in
                    let loop = try EpollLoop(
                        tickInterval: configuration.timerResolution.nanosecondsClamped,
                        readBufferBytes: configuration.readBufferBytes,
                        marks: WriteMarks(
                            high: configuration.writeBufferBytes, low: configuration.writeBufferBytes / 2))
                    let worker = makeWorker(loop)
                    let handle = WorkerHandle(worker, loop)
                    worker.handle = handle
                    loop.onTick = { worker.tick() }
                    return Place(loop: loop, worker: handle)
                }
            } catch {
                throw RouterError(.cannotListen, "The system gives the router no descriptors.", cause: error)
            }
            self.threads = NIOThreadPool(numberOfThreads: configuration.threads)
            self.threads.start()
            for place in self.places { self.threads.submit { _ in place.loop.run() } }
        }

        var workers: [WorkerHandle] { self.places.map(\.worker) }

        func listen(_ listener: Router.Listener) async throws(RouterError) -> BackendAddress {
            let descriptor: Int32
            let address: SocketAddress
            do {
                let wanted = try SocketAddress.makeAddressResolvingHost(listener.host, port: listener.port)
                descriptor = wanted.withSockAddr { slipway_io_listen($0, UInt32($1), self.configuration.backlog) }
                guard descriptor >= 0 else { throw IOError(errnoCode: -descriptor, reason: "listen") }
                address = try Self.localAddress(descriptor) ?? wanted
            } catch {
                throw RouterError.cannotListen(listener, error)
            }
            self.listening.withLock { $0.append(descriptor) }
            let port = address.port ?? listener.port
            await self.accept(descriptor, ListenerFacts(listener, port: port))
            return .ip(host: address.ipAddress ?? listener.host, port: port)
        }

        /// The first loop accepts and hands round.
        private func accept(_ descriptor: Int32, _ facts: ListenerFacts) async {
            let places = self.places
            let first = places[0]
            await first.worker.run { worker in
                var next = 0
                let listener = EpollListener(descriptor, on: first.loop) { connection, address in
                    let place = places[next]
                    next = (next + 1) % places.count
                    let client = address.map { ClientAddress($0) } ?? .unknown
                    if place.loop === first.loop {
                        Self.serve(connection, client, facts, place.loop, worker)
                    } else {
                        let isAccepted = place.worker.execute { Self.serve(connection, client, facts, place.loop, $0) }
                        if !isAccepted { slipway_io_close(connection) }
                    }
                }
                worker.listeners.append(listener)
                listener.start()
            }
        }

        private static func serve(
            _ descriptor: Int32, _ client: ClientAddress, _ facts: ListenerFacts, _ loop: EpollLoop, _ worker: Worker
        ) {
            _ = slipway_io_no_delay(descriptor)
            let stream = EpollStream(descriptor, on: loop)
            guard stream.start() else { return stream.close() }
            worker.serve(stream, client: client, facts)
        }

        func stopListening() async {
            await self.places[0].worker.run { worker in
                for listener in worker.listeners { listener.stop() }
                worker.listeners = []
            }
            let descriptors = self.listening.withLock { descriptors in
                defer { descriptors = [] }
                return descriptors
            }
            for descriptor in descriptors { slipway_io_close(descriptor) }
        }

        func stop() async {
            for place in self.places { place.loop.stop() }
            try? await self.threads.shutdownGracefully()
        }

        private static func localAddress(_ descriptor: Int32) throws -> SocketAddress? {
            var storage = sockaddr_storage()
            var length = UInt32(MemoryLayout<sockaddr_storage>.size)
            let result = withUnsafeMutablePointer(to: &storage) { slipway_io_local_address(descriptor, $0, &length) }
            return result == 0 ? SocketAddress(storage) : nil
        }
    }
#endif
