internal import GitReceiver
internal import Logging
internal import MetricsCore
internal import PlatformWire
internal import ServiceLifecycle
internal import Synchronization
internal import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension Platform {
    /// Whether what was found at start has been brought to what should be.
    public var isReady: Bool { self.state.withLock { $0.isReady && !$0.isStopping } }

    /// The deployments and one-offs that would be broken off if the platform stopped now, in words.
    public var underWay: [String] {
        let (deployments, oneOffs) = self.state.withLock { ($0.running.keys, $0.oneOffs) }
        func name(_ key: DeploymentKey) -> String { self.names.name(of: key.applicationID) }
        return deployments.map { "deployment \($0.number) of \(name($0))" }.sorted()
            + oneOffs.map { "\($0.value.workload.name) of \(name($0.key))" }.sorted()
    }

    /// Returns when ``isReady`` becomes true.
    ///
    /// - Throws: `CancellationError` when the task is cancelled, ``PlatformError`` with the code `unavailable` when the
    ///   platform ends.
    public func waitUntilReady() async throws { try await self.wait { $0.isReady } }

    private func wait(until isReached: @escaping @Sendable (State) -> Bool) async throws {
        let id = self.state.withLock { state in
            state.lastReadiness += 1
            return state.lastReadiness
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let outcome: Result<Void, any Error>? = self.state.withLock { state in
                    if state.isStopping { return .failure(Self.stopped) }
                    if isReached(state) { return .success(()) }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    state.readiness[id] = (isReached, continuation)
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            self.state.withLock { $0.readiness.removeValue(forKey: id) }?.continuation.resume(
                throwing: CancellationError())
        }
        try Task.checkCancellation()
    }

    private static var stopped: PlatformError { PlatformError(.unavailable, "the platform has stopped") }

    /// Returns when the routes of all applications are set, so that whoever asks for one is not told that it does not
    /// exist: a router should listen from then on. Their instances may still be starting.
    ///
    /// - Throws: `CancellationError` when the task is cancelled, ``PlatformError`` with the code `unavailable` when the
    ///   platform ends.
    public func waitUntilRouted() async throws { try await self.wait { $0.isRouted } }

    /// Says under which addresses visitors and clients reach the platform; used in what it prints, and to send visitors
    /// from HTTP to HTTPS. `https` is where applications are served over HTTPS; `nil` when they are not. When its port is
    /// another than the routes name (``Configuration/httpsAddress``), they are changed, and what fails of that is logged.
    public func setAddresses(http: String, https: String? = nil, admin: String) async {
        let isKnown = self.state.withLock { state in
            let known = state.httpsAddress.flatMap(Self.port)
            state.httpAddress = http
            state.httpsAddress = https
            state.adminAddress = admin
            return known == https.flatMap(Self.port)
        }
        guard !isKnown else { return }
        do {
            let applications = try await self.reading { try $0.applications() }
            await withDiscardingTaskGroup { group in
                for application in applications { group.addTask { await self.refreshLogged(application) } }
            }
        } catch {
            self.logger.error("cannot tell applications the port of HTTPS", metadata: ["error": "\(error)"])
        }
    }

    private func refreshLogged(_ application: ApplicationRecord) async {
        do throws(PlatformError) {
            // As it is now: it may have been changed since all were read.
            try await self.refreshRoute(try await self.current(application))
        } catch {
            guard error.code != .notFound else { return }
            self.logger.error(
                "cannot tell an application the port of HTTPS",
                metadata: ["application.name": "\(application.name)", "error": "\(error)"])
        }
    }

    /// Brings every application to what it should be and keeps it there until the surrounding task is cancelled or
    /// shut down gracefully. Running deployments are then cancelled; instances are left to the runtime.
    public func run() async throws {
        // However it ends, nothing is under way or waited for afterwards.
        defer { self.beginStopping() }
        try await withGracefulShutdownHandler {
            try await withThrowingDiscardingTaskGroup { group in
                // Subscribed before the first look, so that no change falls between the two.
                let events = self.runtime.events()
                group.addTask { await self.follow(events) }
                group.addTask { await self.followOrders() }
                group.addTask { await self.checkSlugs() }
                group.addTask { await self.gitServer.runMaintenance() }
                group.addTask {
                    do {
                        try await self.boot()
                        try await self.sampleInstances()
                    } catch is CancellationError {
                    } catch {
                        // Else the loop below would wait for ever for jobs of a platform that cannot start.
                        self.jobs.finish()
                        throw error
                    }
                }
                for await job in self.jobs.stream { group.addTask { await job() } }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.beginStopping()
        }
    }

    private func beginStopping() {
        let (running, waiting) = self.state.withLock { state in
            state.isStopping = true
            defer { state.readiness = [:] }
            return (
                Array(state.running.values) + state.oneOffs.values.map(\.ending),
                state.readiness.values.map(\.continuation)
            )
        }
        for continuation in waiting { continuation.resume(throwing: Self.stopped) }
        for work in running { work.trip("the platform is stopping") }
        self.jobs.finish()
    }

    private func boot() async throws {
        try self.sweepBuildDirectories()
        try await self.closeJournal()
        try await self.runtime.waitUntilAdopted()
        let applications = try await self.store.read { try $0.applications() }
        await withDiscardingTaskGroup { group in
            for application in applications {
                self.names.set(application.name, of: application.id)
                group.addTask {
                    do {
                        try await self.load(application, reconciling: false)
                    } catch {
                        // One application that cannot be loaded must not keep the others down.
                        self.logger.error(
                            "cannot load an application",
                            metadata: ["application.name": "\(application.name)", "error": "\(error)"])
                        self.note("Cannot be loaded: \(error)", application.id)
                    }
                }
            }
        }
        await self.loadCertificates()
        self.reach { $0.isRouted = true }
        let controllers = self.state.withLock { Array($0.controllers.values) }
        await withDiscardingTaskGroup { group in
            for controller in controllers { group.addTask { await controller.reconcile() } }
        }
        let known = Set(applications.map(\.id))
        let strays = self.runtime.applicationIDs().subtracting(known)
        self.jobs.add {
            await withDiscardingTaskGroup { group in
                for stray in strays {
                    group.addTask {
                        await self.makeController(stray).retire()
                        await self.removeStray(stray)
                    }
                }
            }
            // Now nothing runs from one that nobody knows any more.
            await self.removeLeftSlugs()
        }
        self.sweepStorage(except: known.union(self.runtime.applicationIDs()))
        try await self.waitUntilSettled()
        self.reach { $0.isReady = true }
    }

    private func loadCertificates() async {
        await self.refreshCertificates()
        guard let issuer = self.desk.issuer else { return }
        await self.atMost(self.configuration.startGrace) { await issuer.waitUntilLoaded() }
    }

    /// Goes on after a time, whether the work is done or not.
    func atMost(_ time: Duration, _ body: @escaping @Sendable () async -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await self.clock.sleep(for: time) }
            group.addTask { await body() }
            await group.next()
            group.cancelAll()
        }
    }

    /// Takes a step that others may wait for.
    private func reach(_ change: (inout State) -> Void) {
        let waiting = self.state.withLock { state in
            change(&state)
            let reached = state.readiness.filter { $0.value.isReached(state) }
            for id in reached.keys { state.readiness[id] = nil }
            return reached.values.map(\.continuation)
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Whoever is told that the platform is ready expects the applications to answer: waits for them, for a while.
    private func waitUntilSettled() async throws {
        let controllers = self.state.withLock { Array($0.controllers.values) }
        await self.atMost(self.configuration.startGrace) {
            await withDiscardingTaskGroup { group in
                for controller in controllers { group.addTask { await controller.waitUntilSettled() } }
            }
        }
        try Task.checkCancellation()
    }

    /// Ends what a former run of the host left open: nothing before `live` has had any effect on what is routed to.
    private func closeJournal() async throws {
        let now = self.now()
        try await self.store.write { records in
            let final = Set(DeploymentState.allCases.filter(\.isFinal).map(\.rawValue))
            for var deployment in try records.deployments(notIn: final) {
                deployment.cause = "the host stopped while the deployment was \(deployment.state)"
                deployment.state = DeploymentState.failed.rawValue
                deployment.finishedAt = now
                try records.save(deployment)
            }
        }
    }

    private func sweepBuildDirectories() throws {
        let builds = self.configuration.dataDirectory.appending("builds")
        try? FileManager.default.removeItem(atPath: builds.string)
        for name in ["builds", "caches", "deployments"] {
            try FileManager.default.createDirectory(
                atPath: self.configuration.dataDirectory.appending(name).string, withIntermediateDirectories: true)
        }
    }

    /// - Parameter reconciling: whether what is missing is started at once; else the route alone is set.
    func load(_ application: ApplicationRecord, reconciling: Bool = true) async throws {
        self.logs.setSecrets(try self.secrets(of: application), for: application.id)
        let release = try await self.store.read { records in
            try application.liveRelease.flatMap { try records.release($0, of: application.id) }
        }
        let plan: LaunchPlan? =
            if let release { try await self.launchPlan(release, application) } else { nil }
        await self.controller(of: application.id).load(
            try await self.routeSettings(of: application),
            live: plan,
            formation: application.formation, reconciling: reconciling)
    }

    /// Gives an application that could not be loaded at start another try. When its live release cannot be read for
    /// good, that is given up: the next one must be able to take its place.
    func ensureLoaded(_ application: ApplicationRecord) async throws {
        let controller = self.controller(of: application.id)
        guard await !controller.isLoaded else { return }
        do {
            try await self.load(application)
        } catch {
            self.logger.warning(
                "the live release cannot be loaded",
                metadata: ["application.name": "\(application.name)", "error": "\(error)"])
            await controller.load(
                try await self.routeSettings(of: application), live: nil, formation: application.formation)
        }
    }

    private func follow(_ events: AsyncStream<WorkloadEvent>) async {
        for await event in events {
            let (controller, isBooting) = self.state.withLock { state in
                (state.controllers[event.applicationID], !state.isReady)
            }
            // The last events of a destroyed application come after its log is gone, and must not bring it back. At
            // start, what is adopted comes before its application is loaded.
            guard controller != nil || isBooting else { continue }
            if let text = event.text { self.note("\(event.name) \(text)", event.applicationID) }
            guard let controller else { continue }
            // Not here: a pass may take as long as starting a process does, and the next event must not wait for it.
            self.jobs.add { await controller.reconcile() }
        }
    }

    private func sampleInstances() async throws {
        let sampler = InstanceSampler(
            runtime: self.runtime, sampler: self.sampler, signals: self.signals, registry: self.registry)
        while !Task.isCancelled {
            for (id, controller) in self.state.withLock({ $0.controllers }) {
                let wanted = await controller.liveSlots.count
                sampler.sample(applicationID: id, name: self.names.name(of: id), wanted: wanted)
            }
            try await self.clock.sleep(for: self.configuration.sampleInterval)
        }
    }
}
