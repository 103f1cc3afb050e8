import Logging
import ServiceLifecycle
import Synchronization

extension Router {
    /// Listens until the task is cancelled, a graceful shutdown begins or another router has taken over. Then it stops
    /// accepting, lets requests end within ``Configuration/shutdownGrace``, and closes. Cancellation closes at once.
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
        do {
            let engines = try await Engines(self)
            do {
                try await self.serve(engines)
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

    private func serve(_ engines: Engines) async throws {
        self.state.withLock { $0.attach(engines.workers) }
        guard let settings = self.configuration.handover else { return try await self.serve(engines, nil) }
        let handover = try await HandoverSession.begin(settings, logger: self.logger)
        do {
            try await self.serve(engines, handover)
        } catch {
            await handover.stop()
            throw error
        }
        await handover.stop()
    }

    private func serve(_ engines: Engines, _ handover: HandoverSession?) async throws {
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
        await engines.stopAccepting()
        handover?.release()
        for socket in sockets { socket.close() }
        // Whoever comes now finds nobody, and binds afresh.
        if !isHandedOver { await handover?.stop() }
        await self.leave(engines.workers, idleGrace: isHandedOver ? handover?.idleGrace : nil)
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
    /// - Parameter idleGrace: how long connections without a request may have one more; nil to close them at once.
    private func leave(_ workers: [WorkerHandle], idleGrace: Duration?) async {
        for worker in workers { worker.execute { $0.shutDown(closesIdle: idleGrace == nil) } }
        if !Task.isCancelled {
            await self.waitUntilEmpty(workers, idleGrace: idleGrace, grace: self.configuration.shutdownGrace)
        }
        for worker in workers {
            await worker.run { worker in
                worker.abort(nil, code: .shuttingDown)
                worker.stop()
            }
        }
    }

    private func waitUntilEmpty(_ workers: [WorkerHandle], idleGrace: Duration?, grace: Duration) async {
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
                let first = min(idleGrace ?? .zero, grace)
                if idleGrace != nil {
                    try? await self.clock.sleep(for: first)
                    for worker in workers { worker.execute { $0.shutDown(closesIdle: true) } }
                }
                try? await self.clock.sleep(for: grace - first)
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
