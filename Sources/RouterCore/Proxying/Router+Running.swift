import Logging
import NIOPosix
import ServiceLifecycle
import Synchronization

extension Router {
    /// Listens until the task is cancelled, a graceful shutdown begins or another router has taken over. Then it stops
    /// accepting, lets requests end within ``Configuration/shutdownGrace``, and closes. Cancellation closes at once.
    ///
    /// An idle client connection is closed after ``Configuration/lingerTimeout``, or ``Handover/idleGrace`` when another
    /// router has taken over; a request that comes before is answered, with `Connection: close`. Upgraded connections and
    /// event streams are ended one by one during the second half of the grace, as in ``drain(_:grace:)``.
    ///
    /// With a ``Configuration/handover`` it accepts nothing before ``takeOver()``.
    ///
    /// - Throws: ``RouterError`` when the configuration makes no sense, the address cannot be had, or the router before
    ///   this one does not hand over.
    public func run() async throws {
        try self.configuration.check()
        if self.certificates == nil, self.configuration.listeners.contains(where: { $0.security == .tls }) {
            throw RouterError(
                .invalidConfiguration, "A listener speaks TLS, but the router was given no store of certificates.")
        }
        try self.state.withLock { state throws(RouterError) in try state.begin() }
        self.checkDescriptors()
        let blocking = NIOThreadPool(numberOfThreads: self.configuration.blockingThreads)
        blocking.start()
        // Not waited for: a name that is being looked up cannot be given up, and may take its time.
        defer { blocking.shutdownGracefully { _ in } }
        do {
            let engines = try await Engines(self, blocking: blocking)
            do {
                try await self.serve(engines, blocking)
            } catch {
                await engines.stop()
                throw error
            }
            self.stopped(nil)
            await engines.stop()
        } catch {
            self.stopped(error)
            throw error
        }
    }

    /// Without descriptors nobody can connect, and no instance be reached: who has a few connections could see to that.
    private func checkDescriptors() {
        let (limit, connections) = (DescriptorLimit.current, self.configuration.maxConnections)
        guard limit / 2 < connections else { return }
        self.logger.warning(
            "fewer descriptors than two for each connection: raise the limit (ulimit -n), or lower maxConnections",
            metadata: ["router.descriptors": "\(limit)", "router.connections": "\(connections)"])
    }

    private func serve(_ engines: Engines, _ blocking: NIOThreadPool) async throws {
        self.state.withLock { $0.attach(engines.workers) }
        guard let settings = self.configuration.handover else { return try await self.serve(engines, handover: nil) }
        let handover = try await HandoverSession.begin(settings, blocking: blocking, logger: self.logger)
        do {
            try await self.serve(engines, handover: handover)
        } catch {
            await handover.stop()
            throw error
        }
        await handover.stop()
    }

    private func serve(_ engines: Engines, handover: HandoverSession?) async throws {
        let backlog = self.configuration.backlog
        let sockets = try self.configuration.listeners.map { listener throws(RouterError) in
            if let handover { return try handover.socket(for: listener, backlog: backlog) }
            return try ListeningSocket(listener, backlog: backlog)
        }
        if let handover {
            guard await self.wait(for: self.readiness.stream) else { return }
            try await handover.claim(sockets)
        }
        for socket in sockets {
            try await engines.accept(on: socket)
            self.logger.info(
                "router listens",
                metadata: [
                    "router.address": "\(socket.address)", "router.tls": "\(socket.listener.security == .tls)",
                ])
        }
        self.state.withLock { $0.listens(at: sockets.map(\.address.description)) }
        let isHandedOver = await self.wait(for: handover?.claims)
        if isHandedOver { self.state.withLock { $0.isHandedOver = true } }
        await engines.stopAccepting()
        await handover?.release()
        for socket in sockets { socket.close() }
        // Whoever comes now finds nobody, and binds afresh.
        if !isHandedOver { await handover?.stop() }
        let idleGrace = isHandedOver ? handover?.idleGrace : nil
        await self.leave(engines.workers, idleGrace: idleGrace ?? self.configuration.lingerTimeout)
    }

    /// Waits until the stream says something, or until the router is to stop; true for the first.
    private func wait(for stream: AsyncStream<Void>?) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            if let stream {
                group.addTask {
                    for await _ in stream { return true }
                    return false
                }
            }
            group.addTask {
                // Throws when it is cancelled: then nothing is waited for either.
                try? await gracefulShutdown()
                return false
            }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
    }

    // MARK: The end

    /// Lets what goes on end, and breaks off what has not after the grace.
    ///
    /// - Parameter idleGrace: how long connections without a request may have one more.
    private func leave(_ workers: [WorkerHandle], idleGrace: Duration) async {
        let nanoseconds = idleGrace.nanosecondsClamped
        for worker in workers { worker.execute { $0.shutDown(idleGrace: nanoseconds) } }
        if !Task.isCancelled { await self.waitUntilEmpty(workers, grace: self.configuration.shutdownGrace) }
        for worker in workers {
            await worker.run { worker in
                worker.abort(nil, code: .shuttingDown)
                worker.stop()
            }
        }
    }

    private func waitUntilEmpty(_ workers: [WorkerHandle], grace: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for worker in workers {
                    await withCheckedContinuation { continuation in
                        let isAccepted = worker.execute { $0.whenEmpty(continuation) }
                        if !isAccepted { continuation.resume() }
                    }
                }
            }
            group.addTask {
                guard (try? await self.clock.sleep(for: grace - grace / 2)) != nil else { return }
                _ = await self.endStreams(to: nil, code: .shuttingDown, over: grace / 2)
            }
            await group.next()
            // The wait cannot be cancelled: breaking off what is left lets it end.
            for worker in workers { worker.execute { $0.abort(nil, code: .shuttingDown) } }
            group.cancelAll()
        }
    }

    private func stopped(_ error: (any Error)?) {
        self.state.withLock { $0.stop(error) }
    }
}
