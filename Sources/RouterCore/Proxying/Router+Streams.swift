import Synchronization

extension Router {
    /// An upgraded connection or an event stream, known on its loop by a number.
    struct StreamTicket: Sendable {
        var worker: WorkerHandle
        var id: UInt64
    }

    /// Ends upgraded connections and event streams, spread evenly over a time and in an order of chance, so that their
    /// clients, which connect again at once, do not all do it in the same moment. Takes as long as `span`.
    ///
    /// - Parameter backends: to which instances; nil for all.
    /// - Returns: how many were ended.
    func endStreams(to backends: Set<BackendID>?, code: RouterErrorCode, over span: Duration) async -> Int {
        let workers = self.state.withLock { $0.workers }
        let found = Mutex<[StreamTicket]>([])
        for handle in workers {
            await handle.run { worker in
                let ids = worker.listStreams(to: backends)
                found.withLock { $0 += ids.map { StreamTicket(worker: handle, id: $0) } }
            }
        }
        let tickets = self.state.withLock { $0.shuffled(found.withLock { $0 }) }
        let ended = Atomic(0)
        var stagger = Stagger(count: tickets.count, over: span)
        var next = 0
        do {
            while let (wait, count) = stagger.next() {
                if wait > .zero { try await self.clock.sleep(for: wait) }
                for ticket in tickets[next..<(next + count)] {
                    await ticket.worker.run { worker in
                        if worker.endStream(ticket.id, to: backends, code) { ended.add(1, ordering: .relaxed) }
                    }
                }
                next += count
            }
            try await self.clock.sleep(for: span - stagger.passed)
        } catch {
            for ticket in tickets[next...] { ticket.worker.execute { $0.forgetStream(ticket.id) } }
        }
        return ended.load(ordering: .relaxed)
    }
}

extension Worker {
    /// Gives every such stream a number.
    func listStreams(to backends: Set<BackendID>?) -> [UInt64] {
        self.clients.flatMap { $0.exchanges }.filter { $0.isStream(to: backends) }.map { self.number($0) }
    }

    /// False when it has ended by itself.
    func endStream(_ id: UInt64, to backends: Set<BackendID>?, _ code: RouterErrorCode) -> Bool {
        guard let exchange = self.forgetStream(id), exchange.isStream(to: backends) else { return false }
        exchange.abort(OwnAnswer(code, retryAfter: 1), closes: false)
        return true
    }
}
