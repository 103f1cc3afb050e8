import NIOCore
import NIOPosix

extension Exchange {
    /// Finds the request's application, and asks its policy.
    func route() {
        let now = self.worker.loop.now()
        self.timing = RequestTiming(start: now)
        if self.worker.observer != nil { self.machine.summarize(into: &self.summary) }
        if self.answersChallenge() { return }
        if self.worker.ledger.isFull { return self.machine.refuse(OwnAnswer(.overloaded, retryAfter: 5)) }
        switch self.machine.withRequest({ self.worker.routes.find($0) }) {
        case .none: self.machine.refuse(OwnAnswer(.noSuchHost))
        case .ambiguous:
            self.machine.refuse(
                OwnAnswer(.badRequest, reason: "The path can be read in more than one way."))
        case .found(let pool, let stripped):
            self.attempt.pool = pool
            self.attempt.stripped = stripped
            self.attempt.client = self.machine.facts.isTrusted ? self.machine.withRequest { $0.client } : nil
            if !self.attempt.tried.isEmpty { self.attempt.tried.removeAll(keepingCapacity: true) }
            pool.application.begin()
            if let policy = pool.policy { self.ask(policy, now) } else { self.enter(pool) }
        }
    }

    /// An authority that checks a host asks in clear text, whatever the application's route says.
    private func answersChallenge() -> Bool {
        guard let challenges = self.worker.challenges, !self.machine.facts.isSecure,
            let text = self.machine.withPath({ challenges.answer(path: $0) })
        else { return false }
        self.machine.refuse(OwnAnswer(text: text))
        return true
    }

    // MARK: The policy

    private func ask(_ policy: PreparedPolicy, _ now: UInt64) {
        self.machine.policy = policy
        let worker = self.worker
        let verdict = self.machine.withRequest { policy.evaluate($0, now: now, &worker.policyState) }
        if case .verify(let check) = verdict { self.verify(check, policy) } else { self.follow(verdict) }
    }

    private func follow(_ verdict: PolicyVerdict) {
        switch verdict {
        case .pass: if let pool = self.attempt.pool { self.enter(pool) }
        case .redirect(let status, let location):
            self.machine.refuse(OwnAnswer(status: status, location: location))
        case .refuse(let refusal):
            let code: RouterErrorCode =
                switch refusal.reason {
                case .unauthorized: .unauthorized
                case .forbidden: .forbidden
                case .rateLimited: .rateLimited
                }
            var answer = OwnAnswer(code, retryAfter: refusal.retryAfter)
            answer.fields = refusal.extraFields
            self.machine.refuse(answer)
        case .verify: break
        }
    }

    /// Has a password checked on a thread that may take its time. The client may leave meanwhile.
    private func verify(_ check: CredentialCheck, _ policy: PreparedPolicy) {
        guard let verifier = self.worker.configuration.passwordVerifier, let handle = self.worker.handle else {
            self.machine.refuse(OwnAnswer(.unauthorized))
            return
        }
        let ticket = self.worker.await(self)
        self.worker.blocking.submit { _ in
            let isRight = check.run(verifier)
            handle.execute { worker in
                let verdict = policy.conclude(check, isRight: isRight, &worker.policyState)
                worker.awaited(ticket)?.verified(verdict)
            }
        }
    }

    private func verified(_ verdict: PolicyVerdict) {
        self.follow(verdict)
        self.pump()
    }

    // MARK: The application

    /// The request may go to an instance, if there is one.
    private func enter(_ pool: ApplicationPool) {
        switch pool.route.mode {
        case .maintenance(let html):
            self.machine.refuse(OwnAnswer(.maintenance, retryAfter: 60, html: html))
        case .serving:
            if !pool.members.isEmpty { return self.accept(pool) }
            guard let hold = pool.route.hold else {
                return self.machine.refuse(OwnAnswer(.noHealthyInstance, retryAfter: 5))
            }
            if self.timing.queuedSince == 0 { self.timing.queuedSince = self.worker.loop.now() }
            if !self.worker.hold(self, in: pool, hold) {
                self.machine.refuse(OwnAnswer(.queueFull, retryAfter: 5))
            }
        }
    }

    private func accept(_ pool: ApplicationPool) {
        self.attempt.preference = self.machine.withRequest { pool.preference(for: $0) }
        self.machine.accept(
            startMilliseconds: self.worker.wallClockMilliseconds(at: self.timing.start),
            bodyLimit: pool.route.maxRequestBodyBytes ?? self.worker.configuration.maxRequestBodyBytes,
            stripped: self.attempt.stripped, dialect: pool.route.instanceProtocol == .http2 ? .frames : .http1)
    }

    /// What waited for the application's first instance goes on with its newest route.
    func enterAgain() {
        self.timing.queued = self.worker.loop.now() &- self.timing.queuedSince
        guard let old = self.attempt.pool,
            let pool = self.worker.routes.find(application: old.application.name), pool.application === old.application
        else {
            self.machine.refuse(OwnAnswer(.noHealthyInstance, retryAfter: 5))
            return
        }
        self.attempt.pool = pool
        self.enter(pool)
    }
}
