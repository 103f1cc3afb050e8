import Logging
import NIOCore

extension Exchange {
    // MARK: Choosing an instance

    func acquire(_ acquisition: ExchangeAction.Acquisition) {
        switch acquisition {
        case .first:
            self.choose(calledUp: false)
        case .anotherInstance:
            // A connection that was made and then broke is a failure, too; one that was refused has been counted.
            if let instance = self.attempt.instance {
                if self.attempt.upstream != nil { self.failed(instance) }
                self.attempt.tried.append(ObjectIdentifier(instance))
            }
            self.abandonUpstream()
            self.attempt.leaveInstance()
            self.chooseAgain(calledUp: false)
        case .freshConnection:
            self.abandonUpstream()
            if let instance = self.attempt.instance, !instance.isRetired {
                if self.attempt.pool?.route.instanceProtocol == .http2 {
                    self.openShared(self.worker.connections(to: instance))
                } else {
                    self.connect(to: instance)
                }
            } else {
                self.attempt.leaveInstance()
                self.chooseAgain(calledUp: false)
            }
        }
    }

    private func abandonUpstream() {
        self.timing.firstByte = 0
        self.attempt.detach()?.release(.abandon, to: self.worker)
    }

    /// Chooses from the newest version of the route: the one the request came in with may name what is gone.
    private func chooseAgain(calledUp: Bool) {
        guard let old = self.attempt.pool else { return }
        guard let pool = self.worker.routes.find(application: old.application.name),
            pool.application === old.application
        else {
            self.machine.refuse(OwnAnswer(.noHealthyInstance, retryAfter: 5))
            return
        }
        self.attempt.pool = pool
        self.choose(calledUp: calledUp)
    }

    private func choose(calledUp: Bool) {
        guard let pool = self.attempt.pool else { return }
        if !calledUp, pool.application.hasWaiting {
            self.queueUp(pool, atFront: false)
            return
        }
        let now = self.worker.loop.now()
        let selection = pool.select(
            tried: self.attempt.tried, now: now, random: &self.worker.random, preference: self.attempt.preference)
        switch selection {
        case .instance(let instance):
            guard let instance = self.admitted(to: instance, of: pool, now: now) else {
                self.queueUp(pool, atFront: calledUp)
                return
            }
            self.attempt.instance = instance
            if pool.isAffine { self.machine.addedFields = self.cookie(pool, instance) }
            self.open(instance, now: now)
        case .busy:
            self.queueUp(pool, atFront: calledUp)
        case .none:
            // All of them failed it. Where requests wait for the first instance, they do for one that comes back, too.
            if let hold = pool.route.hold {
                if self.timing.queuedSince == 0 { self.timing.queuedSince = now }
                if !self.worker.hold(self, in: pool, hold) {
                    self.machine.refuse(OwnAnswer(.queueFull, retryAfter: 5))
                }
                return
            }
            let code: RouterErrorCode = self.attempt.tried.isEmpty ? .noHealthyInstance : .connectFailed
            self.machine.refuse(OwnAnswer(code, retryAfter: 5))
        }
    }

    /// The instance with which a place was taken, if the client may have it; else one with open places; else nil.
    private func admitted(to instance: Instance, of pool: ApplicationPool, now: UInt64) -> Instance? {
        guard instance.load > pool.places.open else { return instance }
        let client = self.clientSite
        // One that many clients share an address with is not limited: a trusted proxy that does not say for whom it
        // speaks, or what is in front of a Unix socket.
        let facts = self.machine.facts
        if client == .unknown || facts.isTrusted && client == facts.client.site { return instance }
        if let admission = pool.admit(client, to: instance) {
            if admission == .scarce { self.attempt.share = client }
            return instance
        }
        instance.end(isStream: false)
        pool.wakeNext()
        return pool.selectOpen(tried: self.attempt.tried, now: now)
    }

    // MARK: The queue

    private func queueUp(_ pool: ApplicationPool, atFront: Bool) {
        if self.timing.queuedSince == 0 { self.timing.queuedSince = self.worker.loop.now() }
        if !self.worker.enqueue(self, in: pool, atFront: atFront) {
            self.machine.refuse(OwnAnswer(.queueFull, retryAfter: 5))
        }
    }

    /// There may be a place, or an instance.
    func calledUp() {
        guard self.attempt.ticket != nil else { return }
        self.attempt.ticket = nil
        if self.machine.isRouting {
            self.enterAgain()
            return self.pump()
        }
        self.chooseAgain(calledUp: true)
        if self.attempt.ticket == nil {
            self.timing.queued = self.worker.loop.now() &- self.timing.queuedSince
            // There may be places for more than one.
            self.attempt.pool?.wakeNext()
        }
        self.pump()
    }

    /// Others have its place in the queue: its client had more than its share.
    func displaced() {
        guard self.attempt.ticket != nil else { return }
        self.attempt.ticket = nil
        self.timing.queued = self.worker.loop.now() &- self.timing.queuedSince
        self.answer(OwnAnswer(.queueFull, retryAfter: 5))
    }

    func leaveQueue() {
        guard self.attempt.ticket != nil, let pool = self.attempt.pool else { return }
        self.timing.queued = self.worker.loop.now() &- self.timing.queuedSince
        self.worker.cancelWaiting(self, application: pool.application)
    }

    /// Who asks, as queues and places tell clients apart: not by what one and the same can change at will.
    var clientSite: ClientAddress { (self.attempt.client ?? self.machine.facts.client).site }

    /// What is kept of the request while it waits.
    var heldBytes: Int { self.machine.heldBytes }

    private func cookie(_ pool: ApplicationPool, _ instance: Instance) -> [UInt8] {
        pool.cookieLine(
            for: instance, preference: self.attempt.preference, isSecure: self.machine.facts.isSecure) ?? []
    }

    // MARK: Connecting

    private func open(_ instance: Instance, now: UInt64) {
        if self.attempt.pool?.route.instanceProtocol == .http2 {
            self.openShared(self.worker.connections(to: instance))
            return
        }
        let isSafe = self.machine.request.isReplayable
        let limits = self.worker.limits
        let maximum = isSafe ? limits.poolIdle : min(limits.poolIdle, limits.poolIdleForUnsafe)
        let connections = self.worker.connections(to: instance)
        while let upstream = connections.pop(now: now, maximum: maximum) {
            guard isSafe ? upstream.stream.isOpen : upstream.stream.isQuiet() else {
                upstream.stream.close()
                continue
            }
            self.attach(upstream, reused: true)
            return
        }
        self.connect(to: instance)
    }

    private func attach(_ upstream: any InstanceSide, reused: Bool) {
        upstream.owner = self
        self.attempt.upstream = upstream
        self.timing.sent = reused ? self.timing.start : self.worker.loop.now()
        self.machine.upstreamReady(reused: reused)
    }

    private func connect(to instance: Instance) {
        self.timing.connectingSince = self.worker.loop.now()
        var isOver = false
        let pending = self.worker.loop.connect(to: instance) { stream in
            isOver = true
            self.connected(instance, stream.map { InstanceConnection(instance, $0) })
        }
        if !isOver { self.attempt.pending = pending }
    }

    /// Takes a stream of a connection that others use as well.
    private func openShared(_ connections: InstanceConnections) {
        if let connection = connections.sharedWithRoom {
            self.attach(HTTP2InstanceStream(connection), reused: true)
            return
        }
        let instance = connections.instance
        self.timing.connectingSince = self.worker.loop.now()
        var isOver = false
        let worker = self.worker
        let pending = connections.connecting.wait { connection in
            isOver = true
            self.connected(instance, connection.map { HTTP2InstanceStream($0) })
        } connect: { completion in
            worker.loop.connect(to: instance) { stream in
                let connection = stream.map { HTTP2InstanceConnection(instance, $0, worker) }
                if let connection { connections.add(connection) }
                completion(connection)
            }
        }
        if !isOver { self.attempt.pending = pending }
    }

    private func connected(_ instance: Instance, _ side: (any InstanceSide)?) {
        self.attempt.pending = nil
        self.timing.connecting &+= self.worker.loop.now() &- self.timing.connectingSince
        self.timing.connectingSince = 0
        if let side {
            self.attach(side, reused: false)
        } else {
            self.connectFailed(instance)
        }
        self.pump()
    }

    private func connectFailed(_ instance: Instance) {
        self.failed(instance)
        self.machine.connectFailed()
    }

    /// Counts a failure of an instance, and sets it aside after too many.
    private func failed(_ instance: Instance) {
        guard let pool = self.attempt.pool,
            let duration = pool.failed(
                instance, now: self.worker.loop.now(), policy: self.worker.configuration.ejection)
        else { return }
        self.worker.traffic.recordEjection(of: instance, application: pool.application)
        self.worker.logger.info(
            "instance set aside: requests fail there",
            metadata: [
                "router.backend": "\(instance.id)", "router.address": "\(instance.address)",
                "router.duration": "\(duration)",
            ])
    }

    func connectTimedOut() {
        guard let pending = self.attempt.pending, let instance = self.attempt.instance else { return }
        self.attempt.pending = nil
        pending.cancel()
        self.timing.connecting &+= self.worker.loop.now() &- self.timing.connectingSince
        self.timing.connectingSince = 0
        self.connectFailed(instance)
        self.pump()
    }

    // MARK: The end of an exchange

    /// Whether the exchange speaks for the instance or against it.
    private func judge(_ instance: Instance, _ ending: ExchangeEnding) {
        switch ending.code {
        case nil:
            if ending.status >= 500, self.worker.configuration.ejection.countsServerErrors {
                self.failed(instance)
            } else {
                instance.succeeded()
            }
        case .upstreamBroke?, .upstreamInvalid?, .upstreamTimeout?: self.failed(instance)
        default: break
        }
    }

    func finish(_ ending: ExchangeEnding) {
        let now = self.worker.loop.now()
        self.leaveQueue()
        let instance = self.attempt.instance
        if let instance { self.judge(instance, ending) }
        if let upstream = self.attempt.detach() {
            upstream.release(
                ending.reusesUpstream ? .reuse : ending.upgraded ? .closeAfterWriting : .abandon, to: self.worker)
        }
        self.attempt.leaveInstance()
        let pool = self.attempt.pool
        self.attempt.pool = nil
        self.attempt.placeDeadline = nil
        pool?.application.end()
        self.worker.traffic.record(
            ending, self.timing, application: pool?.application, instance: instance, now: now)
        if self.worker.observer != nil {
            self.worker.report(
                self.summary, self.timing, ending, application: pool?.application, instance: instance,
                id: self.machine.requestID, now: now)
            self.summary.clear()
        }
        self.timing = RequestTiming()
    }
}
