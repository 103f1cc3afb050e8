import NIOCore
import NIOPosix
import Synchronization

/// SwiftNIO's event loops.
final class ChannelEngine: Engine {
    private struct Place: Sendable {
        var loop: ChannelLoop
        var worker: WorkerHandle
        var ticking: RepeatedTask
    }

    private let group: MultiThreadedEventLoopGroup
    private let places: [Place]
    private let configuration: Router.Configuration
    private let server = Mutex<(any Channel)?>(nil)

    /// Starts the threads.
    ///
    /// - Parameter makeWorker: makes the worker that lives on a loop; called on it.
    init(_ configuration: Router.Configuration, makeWorker: @escaping @Sendable (any StreamLoop) -> Worker) async throws
    {
        self.configuration = configuration
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.threads)
        var places: [Place] = []
        for eventLoop in self.group.makeIterator() {
            places.append(
                try await eventLoop.submit {
                    let loop = ChannelLoop(eventLoop)
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

    func listen(host: String, port: Int) async throws(RouterError) -> BackendAddress {
        let handles = Dictionary(uniqueKeysWithValues: self.places.map { (ObjectIdentifier($0.loop.eventLoop), $0.worker) })
        do {
            let server = try await ServerBootstrap(group: self.group)
                .serverChannelOption(.backlog, value: self.configuration.backlog)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        guard let handle = handles[ObjectIdentifier(channel.eventLoop)] else { return }
                        try handle.withWorker { try Self.serve(channel, port, $0) }
                    }
                }
                .bind(host: host, port: port).get()
            self.server.withLock { $0 = server }
            return .ip(host: server.localAddress?.ipAddress ?? host, port: server.localAddress?.port ?? port)
        } catch {
            throw RouterError.cannotListen(host, port, error)
        }
    }

    private static func serve(_ channel: any Channel, _ port: Int, _ worker: Worker) throws {
        let stream = ChannelStream(nil)
        try channel.pipeline.syncOperations.addHandler(stream)
        worker.serve(
            stream,
            facts: worker.facts(
                client: channel.remoteAddress?.plainIPAddress ?? "unknown", port: channel.localAddress?.port ?? port))
    }

    func stopListening() async {
        let server = self.server.withLock { $0.take() }
        try? await server?.close().get()
    }

    func stop() async {
        for place in self.places {
            place.loop.end()
            place.ticking.cancel()
        }
        try? await self.group.shutdownGracefully()
    }
}
