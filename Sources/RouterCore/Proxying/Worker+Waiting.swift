/// Requests that wait: for a place with an instance, for an instance, for an answer from another thread.
extension Worker {
    /// Queues a request for a place with an instance; false when there is no room for it.
    func enqueue(_ exchange: Exchange, in pool: ApplicationPool, atFront: Bool) -> Bool {
        guard let ticket = self.makeTicket(exchange) else { return false }
        let deadline = exchange.attempt.placeDeadline ?? (self.loop.now() &+ pool.timeouts.queue)
        exchange.attempt.placeDeadline = deadline
        exchange.attempt.waitsUntil = deadline
        let entry = WaitQueue.Entry(
            ticket: ticket, client: exchange.clientSite, deadline: deadline, bytes: exchange.heldBytes)
        if atFront {
            pool.application.putBack(entry)
        } else {
            // Who waits although places are free has its share, and takes up nobody's room: it is displaced by others.
            let maxCount = min(self.configuration.maxQueuedPerApplication, 1 << 32)
            let joining = pool.application.join(
                entry, maxCount: maxCount + pool.freePlaces(now: self.loop.now()),
                maxBytes: self.configuration.maxQueuedBytesPerApplication)
            guard case .waits(let displaced) = joining else {
                self.forget(exchange)
                return false
            }
            for entry in displaced { entry.ticket.worker.displace(ticket: entry.ticket.id) }
        }
        // A place that was given back in between called up nobody.
        if pool.freePlaces(now: self.loop.now()) > 0 { pool.wakeNext() }
        return true
    }

    /// Has a request wait for an application's first instance; false when there is no room for it.
    func hold(_ exchange: Exchange, in pool: ApplicationPool, _ policy: HoldPolicy) -> Bool {
        guard let ticket = self.makeTicket(exchange) else { return false }
        exchange.attempt.waitsUntil = exchange.timing.queuedSince &+ policy.timeout.nanosecondsClamped
        let (client, bytes, now) = (exchange.clientSite, exchange.heldBytes, self.loop.now())
        let holding = pool.application.withGate {
            $0.hold(ticket, client: client, bytes: bytes, policy: policy, now: now)
        }
        switch holding {
        case .waits(let wakes, let displaced):
            for entry in displaced { entry.ticket.worker.displace(ticket: entry.ticket.id) }
            if wakes { self.wake(pool.application.name) }
            return true
        case .full(let wakes):
            if wakes { self.wake(pool.application.name) }
            self.forget(exchange)
            return false
        }
    }

    /// Has an application started for which requests still wait, if it is time to ask again.
    func askAgain(_ pool: ApplicationPool, _ policy: HoldPolicy, now: UInt64) {
        if pool.application.withGate({ $0.asksAgain(policy: policy, now: now) }) { self.wake(pool.application.name) }
    }

    private func makeTicket(_ exchange: Exchange) -> ApplicationState.Ticket? {
        guard let handle = self.handle else { return nil }
        self.lastTicket += 1
        self.waiting[self.lastTicket] = exchange
        exchange.attempt.ticket = self.lastTicket
        return ApplicationState.Ticket(worker: handle, id: self.lastTicket)
    }

    private func forget(_ exchange: Exchange) {
        guard let ticket = exchange.attempt.ticket else { return }
        exchange.attempt.ticket = nil
        self.waiting[ticket] = nil
    }

    /// A request that waits, wherever it does, has given up.
    func cancelWaiting(_ exchange: Exchange, application: ApplicationState) {
        guard let ticket = exchange.attempt.ticket, let handle = self.handle else { return }
        self.forget(exchange)
        let client = exchange.clientSite
        application.cancel(id: ticket, worker: handle, client: client)
        _ = application.withGate { $0.cancel(client) { $0.id == ticket && $0.worker === handle } }
    }

    /// Has a request wait for something that happens elsewhere.
    func await(_ exchange: Exchange) -> UInt64 {
        self.lastTicket += 1
        self.waiting[self.lastTicket] = exchange
        exchange.attempt.ticket = self.lastTicket
        return self.lastTicket
    }

    /// The request that waited; nil when it has gone.
    func awaited(_ ticket: UInt64) -> Exchange? {
        let exchange = self.waiting.removeValue(forKey: ticket)
        exchange?.attempt.ticket = nil
        return exchange
    }

    func wake(ticket: UInt64) {
        self.waiting.removeValue(forKey: ticket)?.calledUp()
    }

    func displace(ticket: UInt64) {
        self.waiting.removeValue(forKey: ticket)?.displaced()
    }

    /// Gives an exchange a number by which other threads can speak of it, until ``forgetStream(_:)``.
    func number(_ exchange: Exchange) -> UInt64 {
        self.lastTicket += 1
        self.numbered[self.lastTicket] = WeakExchange(exchange: exchange)
        return self.lastTicket
    }

    /// The exchange that had the number; nil when it is gone.
    @discardableResult
    func forgetStream(_ id: UInt64) -> Exchange? { self.numbered.removeValue(forKey: id)?.exchange }
}
