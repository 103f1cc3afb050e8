extension Router {
    /// What the router's threads and callers share, behind its lock. A request never comes here.
    struct State {
        enum Phase {
            case idle
            case starting
            case listening([String])
            case stopped((any Error)?)
        }

        /// An instance that no route names any more, and the loops that have not heard of it yet.
        struct Retired {
            var instance: Instance
            var applied: LoopAcknowledgement
        }

        var phase = Phase.idle
        var routes: RouteIndex<ApplicationPool>
        var workers: [WorkerHandle] = []
        var retired: [Retired] = []
        /// Another router has taken over.
        var isHandedOver = false
        /// Who is told which routes change.
        var watches: [RouteWatch] = []

        private var random: any RandomNumberGenerator & Sendable

        /// - Parameters:
        ///   - seed: a secret, so that nobody can choose hosts that collide in the table.
        ///   - random: decides orders.
        init(seed: UInt64, random: any RandomNumberGenerator & Sendable) {
            self.routes = RouteIndex(seed: seed)
            self.random = random
        }

        /// The same in an order of chance.
        mutating func shuffled<T>(_ values: [T]) -> [T] { values.shuffled(using: &self.random) }

        private var lastSlot = -1
        private var freeSlots: [Int] = []
        private var lastWaiter = 0
        private var waiters: [Int: CheckedContinuation<[String], any Error>] = [:]
        private var cancelledWaiters: Set<Int> = []

        mutating func begin() throws(RouterError) {
            guard case .idle = self.phase else {
                throw RouterError(.alreadyRunning, "A router runs once; make another one to run again.")
            }
            self.phase = .starting
        }

        mutating func attach(_ workers: [WorkerHandle]) {
            self.workers = workers
            // Routes may have changed since the workers were made.
            let routes = self.routes
            for worker in workers { worker.execute { $0.routes = routes } }
        }

        mutating func listens(at addresses: [String]) {
            self.phase = .listening(addresses)
            for waiter in self.waiters.values { waiter.resume(returning: addresses) }
            self.waiters = [:]
        }

        mutating func stop(_ error: (any Error)?) {
            self.phase = .stopped(error)
            self.workers = []
            for waiter in self.waiters.values { waiter.resume(throwing: self.stoppedError(error)) }
            self.waiters = [:]
        }

        private func stoppedError(_ error: (any Error)?) -> any Error {
            error ?? RouterError(.stopped, "The router has stopped.")
        }

        mutating func nextWaiterID() -> Int {
            self.lastWaiter += 1
            return self.lastWaiter
        }

        mutating func wait(_ id: Int, _ continuation: CheckedContinuation<[String], any Error>) {
            if self.cancelledWaiters.remove(id) != nil {
                continuation.resume(throwing: CancellationError())
                return
            }
            switch self.phase {
            case .listening(let addresses): continuation.resume(returning: addresses)
            case .stopped(let error): continuation.resume(throwing: self.stoppedError(error))
            case .idle, .starting: self.waiters[id] = continuation
            }
        }

        mutating func cancelWaiter(_ id: Int) {
            if let waiter = self.waiters.removeValue(forKey: id) {
                waiter.resume(throwing: CancellationError())
            } else {
                self.cancelledWaiters.insert(id)
            }
        }

        /// Sends the loops the current routes, and has them look at an application's queue.
        ///
        /// - Parameter opens: whether those that wait for the application's first instance need wait no longer.
        mutating func publish(retiring instances: [Instance], application: ApplicationState, opens: Bool) {
            self.forgetIdle()
            for watch in self.watches { watch.note(application.name) }
            let routes = self.routes
            let applied = LoopAcknowledgement(self.workers.count)
            for instance in instances {
                instance.retire()
                self.retired.append(Retired(instance: instance, applied: applied))
            }
            for worker in self.workers {
                worker.execute { worker in
                    worker.routes = routes
                    applied.acknowledge()
                    let pool = routes.find(application: application.name)
                    if let pool, pool.application === application { pool.wakeNext() } else { application.wakeNext() }
                    guard opens else { return }
                    // Each worker does it: one that has not heard yet may still let a request wait.
                    for entry in application.open() { entry.ticket.worker.wake(ticket: entry.ticket.id) }
                }
            }
        }

        /// Forgets retired instances that can get no more requests and have none.
        mutating func forgetIdle() {
            var freed: [Int] = []
            self.retired.removeAll { retired in
                guard retired.applied.isComplete, retired.instance.inFlight == 0 else { return false }
                freed.append(retired.instance.slot)
                return true
            }
            self.freeSlots += freed
        }

        /// A place in the loops' tables for a new instance.
        mutating func giveBack(slot: Int) { self.freeSlots.append(slot) }

        mutating func takeSlot() -> Int {
            if let slot = self.freeSlots.popLast() { return slot }
            self.lastSlot += 1
            return self.lastSlot
        }

        /// Every instance of these names, in a route or not.
        func instances(_ ids: Set<BackendID>) -> [Instance] {
            self.retired.map(\.instance).filter { ids.contains($0.id) }
                + self.routes.values.flatMap(\.members).map(\.instance).filter { ids.contains($0.id) }
        }
    }
}
