#if os(Linux)
    import CRouterIO
    import NIOCore
    import NIOPosix

    /// Clear text on Linux: loops of the router's own.
    final class EpollEngine: Engine {
        private struct Place: Sendable {
            var loop: EpollLoop
            var worker: WorkerHandle
        }

        private let places: [Place]
        private let threads: NIOThreadPool

        /// Starts the threads.
        ///
        /// - Parameters:
        ///   - blocking: threads that may wait.
        ///   - makeWorker: makes the worker that lives on a loop, before the loop runs.
        init(
            _ configuration: Router.Configuration, blocking: NIOThreadPool, makeWorker: (any StreamLoop) -> Worker
        ) throws(RouterError) {
            do {
                self.places = try (0..<configuration.threads).map { _ in
                    let loop = try EpollLoop(
                        tickInterval: configuration.timerResolution.nanosecondsClamped,
                        readBufferBytes: configuration.readBufferBytes,
                        marks: WriteMarks(
                            high: configuration.writeBufferBytes, low: configuration.writeBufferBytes / 2),
                        blocking: blocking)
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

        /// The first loop accepts and hands round.
        func accept(on socket: ListeningSocket) async {
            let facts = ListenerFacts(socket.listener, port: socket.port)
            let places = self.places
            let first = places[0]
            await first.worker.run { worker in
                var next = 0
                let listener = EpollListener(socket.descriptor, on: first.loop) { connection, address in
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

        func stopAccepting() async {
            await self.places[0].worker.run { worker in
                for listener in worker.listeners { listener.stop() }
                worker.listeners = []
            }
        }

        func stop() async {
            for place in self.places { place.loop.stop() }
            try? await self.threads.shutdownGracefully()
        }
    }
#endif
