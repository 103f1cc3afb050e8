import Logging
import NIOCore
import NIOPosix

extension ClientHandler {
    // MARK: Routing

    func route() {
        self.timing = RequestTiming()
        self.timing.start = RequestTiming.now()
        if self.loop.observer != nil { self.summary = self.machine.requestSummary() }
        guard let pool = self.machine.withHost({ self.loop.routes.find(host: $0) }) else {
            self.machine.refuse(Refusal(.noSuchHost))
            return
        }
        self.attempt.pool = pool
        self.attempt.tried.removeAll(keepingCapacity: true)
        pool.application.begin()
        switch pool.route.mode {
        case .maintenance(let html):
            self.machine.refuse(Refusal(.maintenance, retryAfter: 60, html: html))
        case .serving:
            if pool.members.isEmpty {
                self.machine.refuse(Refusal(.noHealthyInstance, retryAfter: 5))
            } else {
                self.machine.accept(
                    startMilliseconds: self.loop.wallClockMilliseconds(at: self.timing.start),
                    bodyLimit: pool.route.maxRequestBodyBytes ?? self.loop.configuration.maxRequestBodyBytes)
            }
        }
    }

    // MARK: Choosing an instance

    func acquire(_ acquisition: ExchangeAction.Acquisition) {
        switch acquisition {
        case .first:
            self.choose(calledUp: false)
        case .anotherInstance:
            self.abandonUpstream()
            if let instance = self.attempt.instance { self.attempt.tried.append(ObjectIdentifier(instance)) }
            self.attempt.leaveInstance()
            self.chooseAgain(calledUp: false)
        case .freshConnection:
            self.abandonUpstream()
            if let instance = self.attempt.instance, !instance.isRetired {
                self.connect(to: instance)
            } else {
                self.attempt.leaveInstance()
                self.chooseAgain(calledUp: false)
            }
        }
    }

    private func abandonUpstream() {
        self.timing.firstByte = 0
        self.attempt.detach()?.close()
    }

    /// Chooses from the newest version of the route: the one the request came in with may name what is gone.
    private func chooseAgain(calledUp: Bool) {
        guard let old = self.attempt.pool else { return }
        guard let pool = self.loop.routes.find(application: old.application.name), pool.application === old.application
        else {
            self.machine.refuse(Refusal(.noHealthyInstance, retryAfter: 5))
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
        let now = self.timing.queuedSince == 0 ? self.timing.start : RequestTiming.now()
        switch pool.select(tried: self.attempt.tried, now: now, random: &self.loop.random) {
        case .instance(let instance):
            self.attempt.instance = instance
            self.open(instance, now: now)
        case .busy:
            self.queueUp(pool, atFront: calledUp)
        case .none:
            let code: RouterErrorCode = self.attempt.tried.isEmpty ? .noHealthyInstance : .connectFailed
            self.machine.refuse(Refusal(code, retryAfter: 5))
        }
    }

    // MARK: The queue

    private func queueUp(_ pool: ApplicationPool, atFront: Bool) {
        if self.timing.queuedSince == 0 { self.timing.queuedSince = RequestTiming.now() }
        self.attempt.ticket = self.loop.enqueue(self, in: pool, atFront: atFront)
        if self.attempt.ticket == nil { self.machine.refuse(Refusal(.queueFull, retryAfter: 5)) }
    }

    /// A place may be free.
    func calledUp() {
        guard self.attempt.ticket != nil else { return }
        self.attempt.ticket = nil
        self.chooseAgain(calledUp: true)
        if self.attempt.ticket == nil {
            self.timing.queued = RequestTiming.now() &- self.timing.queuedSince
            // There may be places for more than one.
            self.attempt.pool?.application.wakeNext()
        }
        self.pump()
        self.flush()
    }

    func leaveQueue() {
        guard let ticket = self.attempt.ticket, let pool = self.attempt.pool else { return }
        self.attempt.ticket = nil
        self.timing.queued = RequestTiming.now() &- self.timing.queuedSince
        self.loop.cancelWaiting(ticket, application: pool.application)
    }

    // MARK: Connecting

    private func open(_ instance: Instance, now: UInt64) {
        let isSafe = self.machine.request.isReplayable
        let limits = self.loop.limits
        let maximum = isSafe ? limits.poolIdle : min(limits.poolIdle, limits.poolIdleForUnsafe)
        if let connections = self.loop.pools[ObjectIdentifier(instance)] {
            while let upstream = connections.pop(now: now, maximum: maximum) {
                guard isSafe ? upstream.isOpen : upstream.isStillConnected() else {
                    upstream.close()
                    continue
                }
                self.attach(upstream, reused: true)
                return
            }
        }
        self.connect(to: instance)
    }

    private func attach(_ upstream: UpstreamHandler, reused: Bool) {
        upstream.owner = self
        self.attempt.upstream = upstream
        self.timing.sent = reused ? self.timing.start : RequestTiming.now()
        self.machine.upstreamReady(reused: reused)
    }

    private func connect(to instance: Instance) {
        self.attempt.generation &+= 1
        let generation = self.attempt.generation
        self.timing.connectingSince = RequestTiming.now()
        let handler = UpstreamHandler(instance)
        let bound = NIOLoopBound(handler, eventLoop: self.loop.eventLoop)
        let timeout = self.attempt.pool?.route.timeouts.connect ?? RouteTimeouts().connect
        let bootstrap = ClientBootstrap(group: self.loop.eventLoop)
            .connectTimeout(TimeAmount(timeout))
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
        let connecting: EventLoopFuture<any Channel>
        if let address = instance.socketAddress {
            connecting = bootstrap.connect(to: address)
        } else if case .ip(let host, let port) = instance.address {
            connecting = bootstrap.connect(host: host, port: port)
        } else {
            return self.connectFailed(instance, generation: generation)
        }
        connecting.assumeIsolated().whenComplete { result in
            switch result {
            case .success: self.connected(handler, generation: generation)
            case .failure: self.connectFailed(instance, generation: generation)
            }
        }
    }

    private func connected(_ upstream: UpstreamHandler, generation: Int) {
        upstream.instance.connectSucceeded()
        guard generation == self.attempt.generation else {
            // The client has gone meanwhile; the next one may use it.
            self.loop.keep(upstream, now: RequestTiming.now())
            return
        }
        let now = RequestTiming.now()
        self.timing.connecting &+= now &- self.timing.connectingSince
        self.attach(upstream, reused: false)
        self.pump()
        self.flush()
    }

    private func connectFailed(_ instance: Instance, generation: Int) {
        let now = RequestTiming.now()
        if let duration = instance.connectFailed(now: now, policy: self.loop.configuration.ejection) {
            self.loop.logger.info(
                "instance set aside: it does not accept connections",
                metadata: [
                    "router.backend": "\(instance.id)", "router.address": "\(instance.address)",
                    "router.duration": "\(duration)",
                ])
        }
        guard generation == self.attempt.generation else { return }
        self.timing.connecting &+= now &- self.timing.connectingSince
        self.machine.connectFailed()
        self.pump()
        self.flush()
    }

    // MARK: The end of an exchange

    func finish(_ ending: ExchangeEnding) {
        let now = RequestTiming.now()
        self.leaveQueue()
        let instance = self.attempt.instance
        // Everything is detached before anything is flushed: a flush may call back.
        if let upstream = self.attempt.detach() {
            if ending.reusesUpstream {
                upstream.resumeReading()
                self.loop.keep(upstream, now: now)
            } else if ending.upgraded {
                upstream.closeAfterWriting()
            } else {
                upstream.close()
            }
        }
        self.attempt.leaveInstance()
        let pool = self.attempt.pool
        self.attempt.pool = nil
        pool?.application.end()
        guard let observer = self.loop.observer else { return }
        let summary = self.summary
        self.summary = nil
        let timing = self.timing
        let start = timing.start == 0 ? now : timing.start
        self.timing = RequestTiming()
        observer.requestFinished(
            RequestRecord(
                application: pool?.application.name, backend: instance?.id, method: summary?.method ?? "",
                host: summary?.host ?? "", path: summary?.path ?? "", status: ending.status, errorCode: ending.code,
                requestBytes: ending.requestBytes, responseBytes: ending.responseBytes,
                total: .nanoseconds(Int64(clamping: now &- min(now, start))),
                queue: .nanoseconds(Int64(clamping: timing.queued)),
                connect: .nanoseconds(Int64(clamping: timing.connecting)),
                firstByte: timing.firstByte > timing.sent && timing.sent > 0
                    ? .nanoseconds(Int64(clamping: timing.firstByte - timing.sent)) : .zero,
                requestID: self.machine.requestID.description, retries: ending.retries, upgraded: ending.upgraded))
    }
}
