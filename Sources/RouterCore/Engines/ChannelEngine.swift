import CRouterIO
import NIOCore
import NIOPosix
import Synchronization

/// SwiftNIO's event loops: for TLS, and for clear text where the router has no loops of its own.
final class ChannelEngine: Engine {
    private struct Place: Sendable {
        var loop: ChannelLoop
        var worker: WorkerHandle
        var ticking: RepeatedTask
    }

    private let group: MultiThreadedEventLoopGroup
    private let places: [Place]
    private let configuration: Router.Configuration
    private let marks: WriteMarks
    private let acceptor: TLSAcceptor?
    private let servers = Mutex<[any Channel]>([])

    /// Starts the threads.
    ///
    /// - Parameters:
    ///   - acceptor: puts TLS before connections; needed for listeners that ask for it.
    ///   - makeWorker: makes the worker that lives on a loop; called on it.
    init(
        _ configuration: Router.Configuration, acceptor: TLSAcceptor?,
        makeWorker: @escaping @Sendable (any StreamLoop) -> Worker
    ) async throws {
        self.configuration = configuration
        self.acceptor = acceptor
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.threads)
        let marks = WriteMarks(high: configuration.writeBufferBytes, low: configuration.writeBufferBytes / 2)
        self.marks = marks
        var places: [Place] = []
        for eventLoop in self.group.makeIterator() {
            places.append(
                try await eventLoop.submit {
                    let loop = ChannelLoop(eventLoop, marks: marks)
                    let worker = makeWorker(loop)
                    let handle = WorkerHandle(worker, loop)
                    worker.handle = handle
                    let interval = TimeAmount(configuration.timerResolution)
                    let ticking = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
                        handle.withWorker { $0.tick() }
                    }
                    return Place(loop: loop, worker: handle, ticking: ticking)
                }.get())
        }
        self.places = places
    }

    var workers: [WorkerHandle] { self.places.map(\.worker) }

    func accept(on socket: ListeningSocket) async throws(RouterError) {
        let places = Dictionary(
            uniqueKeysWithValues: self.places.map { (ObjectIdentifier($0.loop.eventLoop), $0) })
        let acceptor = socket.listener.security == .tls ? self.acceptor : nil
        let facts = ListenerFacts(socket.listener, port: socket.port)
        // The channel closes the descriptor that it is given.
        let descriptor = slipway_io_duplicate(socket.descriptor)
        do {
            guard descriptor >= 0 else { throw IOError(errnoCode: -descriptor, reason: "dup") }
            let server = try await ServerBootstrap(group: self.group)
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelOption(.writeBufferWaterMark, value: self.marks.waterMark)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        guard let place = places[ObjectIdentifier(channel.eventLoop)] else { return }
                        try place.worker.withWorker { try Self.serve(channel, facts, acceptor, place.loop, $0) }
                    }
                }
                .withBoundSocket(descriptor).get()
            self.servers.withLock { $0.append(server) }
            // The channel listens again, with a backlog of its own.
            _ = slipway_io_adopt_listener(socket.descriptor, self.configuration.backlog)
        } catch {
            throw RouterError.cannotListen(socket.listener, error)
        }
    }

    private static func serve(
        _ channel: any Channel, _ listener: ListenerFacts, _ acceptor: TLSAcceptor?, _ loop: ChannelLoop,
        _ worker: Worker
    ) throws {
        let client = channel.remoteAddress.map { ClientAddress($0) } ?? .unknown
        let stream = ChannelStream(on: loop)
        let pipeline = channel.pipeline.syncOperations
        if let acceptor {
            if listener.expectsProxyHeader(from: client) {
                try pipeline.addHandler(
                    ProxyHeaderHandler { client in
                        (stream.handler as? ArrivingConnection)?.isProxied(for: client) ?? false
                    })
            }
            try acceptor.configure(pipeline)
        }
        try pipeline.addHandler(stream)
        worker.serve(stream, client: client, listener)
    }

    func stopAccepting() async {
        let servers = self.servers.withLock { servers in
            defer { servers = [] }
            return servers
        }
        for server in servers { try? await server.setOption(.autoRead, value: false).get() }
        // What was accepted is on its way to its loop and back; while it is, the end of the server's channel closes it.
        for place in self.places { await place.worker.run { _ in } }
        for server in servers { try? await server.close().get() }
    }

    func stop() async {
        for place in self.places {
            place.loop.end()
            place.ticking.cancel()
        }
        try? await self.group.shutdownGracefully()
    }
}
