/// What is looked at with every tick: whether somebody takes too long.
extension Exchange {
    /// Looks whether what is waited for has taken too long.
    func check(now: UInt64) {
        let limits = self.worker.limits
        let waited = self.watch.waited(
            now: now, waiting: self.isClosing ? nil : self.machine.waiting, number: self.machine.number)
        if self.isClosing {
            if self.takesTooLong(now) { self.client.close() }
            return
        }
        let timeouts = self.attempt.pool?.timeouts ?? NanosecondTimeouts.defaults
        switch self.machine.waiting {
        case .nothing: self.checkQueue(now)
        case .nextRequest, .requestHead:
            if !self.client.canTakeMore {
                if self.takesTooLong(now) { self.dropClient() }
            } else if self.machine.waiting == .nextRequest {
                self.checkIdle(now, waited)
            } else if waited > limits.head {
                self.timeOut()
            }
        case .lingering: if waited > limits.linger { self.timeOut() }
        case .tunnel:
            if self.takesTooLong(now) { self.dropClient() } else if waited > timeouts.upgradedIdle { self.timeOut() }
        case .firstByte:
            if !self.client.canTakeMore {
                // The answers before this one wait for the client, and nobody looks whether the instance has answered.
                if self.takesTooLong(now) { self.dropClient() }
            } else if waited > timeouts.firstByte {
                self.timeOut()
            }
        case .requestBody:
            if !self.client.canTakeMore {
                // The instance may wait, too: for somebody to read its answer.
                if self.takesTooLong(now) { self.dropClient() }
            } else if self.attempt.upstream?.canTakeMore == false {
                // It is the instance that does not take the body.
                self.watch.sending.rest()
                if waited > timeouts.betweenBytes { self.answer(OwnAnswer(.upstreamTimeout)) }
            } else if self.sendsTooSlowly(now) {
                self.timeOut()
            }
        case .response:
            if self.takesTooLong(now) {
                self.dropClient()
            } else if self.client.canTakeMore, waited > timeouts.betweenBytes {
                self.timeOut()
            }
        case .instance:
            if self.attempt.isQueued {
                self.checkQueue(now)
            } else if self.timing.connectingSince > 0, now &- min(now, self.timing.connectingSince) > timeouts.connect {
                self.connectTimedOut()
            }
        }
    }

    /// A kept connection that nobody needs is closed, unless a request is already here. One may be on its way all the
    /// same; so the router ends its own side first, and the client, which must be ready for that, sees an orderly end and
    /// no reset (RFC 9112, 9.5 and 9.6).
    private func checkIdle(_ now: UInt64, _ waited: UInt64) {
        let limits = self.worker.limits
        guard waited > limits.keepAlive || now >= self.leaveBy && waited > limits.linger else { return }
        if self.client.isQuiet() { self.timeOut() }
    }

    /// The body is waited for. Messages of an application's own come when there is one, and only must not stay away.
    private func sendsTooSlowly(_ now: UInt64) -> Bool {
        self.watch.sending.isTooSlow(
            now: now, moved: self.machine.requestBytes + self.client.arrivingBytes,
            isPaced: !self.machine.sendsMessages,
            self.worker.limits.sending)
    }

    /// What was sent may wait for the client. Small things that are on their way may take their time.
    private func takesTooLong(_ now: UInt64) -> Bool {
        let progress = self.client.progress
        guard progress.isAwaited else {
            self.watch.taking.rest()
            return false
        }
        return self.watch.taking.isTooSlow(
            now: now, moved: progress.taken, isPaced: self.isClosing || !self.client.canTakeMore,
            self.worker.limits.taking)
    }

    /// It may wait for a place with an instance, or for an instance.
    private func checkQueue(_ now: UInt64) {
        guard self.attempt.isQueued, self.timing.queuedSince > 0, let pool = self.attempt.pool else { return }
        if let hold = pool.route.hold { self.worker.askAgain(pool, hold, now: now) }
        guard now > self.attempt.waitsUntil else { return }
        self.leaveQueue()
        self.answer(OwnAnswer(.queueTimeout, retryAfter: 5))
    }

    /// The client does not take what it has asked for.
    private func dropClient() {
        self.machine.clientClosed()
        self.pump()
        self.client.close()
    }
}
