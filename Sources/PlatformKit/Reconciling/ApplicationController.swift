internal import Logging
internal import PlatformWire
internal import SystemPackage

/// What the controller must know to start an instance of a release.
struct LaunchPlan: Sendable {
    var release: ReleaseRecord
    var environment: [String: String]
    /// What instances of a process type may use.
    var sizes: [String: InstanceSize]
    /// As whom they run; nil: as the platform.
    var user: UInt32?
    /// What stays of what they write.
    var storage: FilePath
}

/// What a route has beside its instances.
struct RouteSettings: Sendable, Hashable {
    var hosts: [String] = []
    var maintenance = false
    var https: WorkloadRoute.HTTPS?
}

/// Says one line of progress to whoever waits.
typealias Progress = @Sendable (String) async -> Void

/// Brings what runs of one application to what should run, one step at a time.
///
/// Deploy, scale, restart, recovery and boot all end in ``reconcile()``. It never waits for an instance to become ready
/// or to end: those are events that call it again.
actor ApplicationController {
    struct Settings: Sendable {
        var drainGrace: Duration
        var stopGrace: Duration
        /// How long an instance without a readiness check must have run before it counts as started.
        var settleTime: Duration
        /// For how long requests wait for an instance, counted from when there was one.
        var startHold: Duration
    }

    /// What a route leads to.
    private struct Process: Equatable {
        var id: String
        var host: String?
        var port: Int?
        var restarts: Int

        init(_ instance: WorkloadInstance) {
            self.id = instance.id
            self.host = instance.host
            self.port = instance.port
            self.restarts = instance.restarts
        }
    }

    nonisolated let applicationID: String
    let runtime: any WorkloadRuntime
    let settings: Settings
    let clock: any Clock<Duration>
    private let jobs: BackgroundJobs
    private let logger: Logger
    let gate = TurnQueue()

    private var desired = DesiredState()
    private var launchPlans: [Int: LaunchPlan] = [:]
    private var routeSettings = RouteSettings()
    private(set) var isLoaded = false
    private var isRetired = false
    private var currentRoute: WorkloadRoute?
    /// The processes that the route led to when it was set: one that was started again may be at another port.
    private var routedProcesses: [Process] = []
    private var hold = HoldWindow()
    var retiring: Set<String> = []
    var lastSerial = 0

    init(
        applicationID: String, runtime: any WorkloadRuntime, settings: Settings, clock: any Clock<Duration>,
        jobs: BackgroundJobs, logger: Logger
    ) {
        self.applicationID = applicationID
        self.runtime = runtime
        self.settings = settings
        self.clock = clock
        self.jobs = jobs
        self.logger = logger
    }

    // MARK: What should be

    /// Returns when every instance of the live release is ready, has failed, or the task is cancelled.
    func waitUntilSettled() async {
        guard let live = self.desired.live else { return }
        let pending = live.slots.compactMap { self.newestInstance(of: live.release, in: $0) }.filter {
            $0.phase != .ready
        }
        await withDiscardingTaskGroup { group in
            for instance in pending { group.addTask { try? await self.runtime.waitUntilReady(instance.id) } }
        }
        await self.reconcile()
    }

    func set(_ routeSettings: RouteSettings) async {
        self.routeSettings = routeSettings
        await self.reconcile()
    }

    /// Takes what the store says as what should be. Nothing is started or ended before this was called once: what is
    /// wanted is not known yet.
    ///
    /// - Parameter reconciling: whether what is missing is started at once; else the route alone is set.
    func load(
        _ routeSettings: RouteSettings, live plan: LaunchPlan?, formation: [String: Int], reconciling: Bool = true
    ) async {
        self.routeSettings = routeSettings
        if let plan {
            self.launchPlans[plan.release.version] = plan
            self.desired.live = Self.target(plan.release, formation: formation)
        }
        self.isLoaded = true
        guard !reconciling else { return await self.reconcile() }
        await shielded { _ = try? await self.gate.withTurn { await self.setFirstRoute() } }
    }

    private func setFirstRoute() {
        guard !self.isRetired else { return }
        self.setRoute(ReconcilePlan(desired: self.desired, observed: self.observed))
    }

    /// Brings up a release beside the live one, and makes it the live one once every instance is ready.
    ///
    /// - Parameter promote: records the switch; when it throws, nothing was switched.
    /// - Throws: `refused` with the cause. The release that was live goes on as if nothing had happened.
    func rollOut(
        _ plan: LaunchPlan, formation: [String: Int], progress: Progress,
        promote: @Sendable () async throws -> Void
    ) async throws {
        let target = Self.target(plan.release, formation: formation)
        self.launchPlans[plan.release.version] = plan
        self.desired.candidate = target
        do {
            let alone = target.slots.filter { self.desired.singletons.contains($0.processType) }
            let others = try await self.bringUp(target, slots: target.slots.subtracting(alone), progress: progress)
            if !alone.isEmpty {
                // Last, because the live release has none from here on: what can fail before it has.
                self.desired.yielding = Set(alone.map(\.processType))
                try await self.makeRoom(for: self.desired.yielding, progress: progress)
                try await self.bringUp(target, slots: alone, progress: progress)
                try self.checkThatAllAreReady(others)
            }
            try Task.checkCancellation()
            try await promote()
        } catch {
            self.desired.candidate = nil
            self.desired.yielding = []
            await self.reconcile()
            self.launchPlans[plan.release.version] = nil
            throw error
        }
        self.desired.live = target
        self.desired.candidate = nil
        self.desired.yielding = []
        await self.reconcile()
        self.launchPlans = self.launchPlans.filter { $0.key == plan.release.version }
    }

    /// Starts another instance in each of these places and lets go of the old one when the new one is ready; of a
    /// singleton, before the new one is started.
    func replace(matching: @Sendable (Slot) -> Bool, progress: Progress) async throws -> Bool {
        guard let live = self.desired.live else { return false }
        let slots = live.slots.filter(matching)
        guard !slots.isEmpty else { return false }
        let alone = slots.filter { live.singletons.contains($0.processType) }
        if alone.count < slots.count { try await self.replace(slots.subtracting(alone), of: live, progress) }
        if !alone.isEmpty {
            try await self.makeRoom(for: Set(alone.map(\.processType)), progress: progress)
            try await self.bringUp(live, slots: alone, progress: progress)
        }
        return true
    }

    private func replace(_ slots: Set<Slot>, of live: Target, _ progress: Progress) async throws {
        self.desired.replacing.formUnion(slots)
        do {
            try await self.bringUp(live, slots: slots, replacing: true, progress: progress)
        } catch {
            self.desired.replacing.subtract(slots)
            await self.reconcile()
            throw error
        }
        self.desired.replacing.subtract(slots)
        await self.reconcile()
    }

    /// Has instances that are started from now on be limited by these sizes.
    func set(sizes: [String: InstanceSize]) {
        guard let live = self.desired.live else { return }
        self.launchPlans[live.release]?.sizes = sizes
    }

    /// Changes the numbers of instances and waits until the new ones are ready.
    func scale(to formation: [String: Int], progress: Progress) async throws {
        guard let live = self.desired.live, let plan = self.launchPlans[live.release] else { return }
        let target = Self.target(plan.release, formation: formation)
        self.desired.live = target
        let added = target.slots.subtracting(live.slots)
        // One that was scaled down a moment ago may still be ending.
        try await self.makeRoom(for: target.singletons.intersection(added.map(\.processType)), progress: progress)
        try await self.bringUp(target, slots: added, progress: progress)
    }

    /// Ends everything of a destroyed application.
    func retire() async {
        self.desired = DesiredState()
        self.isRetired = true
        // After the pass that may be under way: it may be about to start an instance, or to set a route.
        await shielded {
            _ = try? await self.gate.withTurn { await self.endEverything() }
        }
    }

    private func endEverything() async {
        self.runtime.removeRoute(of: self.applicationID)
        let ids = self.runtime.instances(of: self.applicationID).map(\.id)
        await withDiscardingTaskGroup { group in
            for id in ids { group.addTask { await self.runtime.stop(id) } }
        }
    }

    var liveSlots: Set<Slot> { self.desired.live?.slots ?? [] }
    var routed: Set<String> { Set(self.currentRoute?.instances ?? []) }

    static func target(_ release: ReleaseRecord, formation: [String: Int]) -> Target {
        var slots: Set<Slot> = []
        let singletons = Set(release.life.filter(\.value.isSingleton).keys)
        for type in release.processTypes.keys {
            let wanted = max(0, formation[type] ?? 0)
            for number in 1..<((singletons.contains(type) ? min(wanted, 1) : wanted) + 1) {
                slots.insert(Slot(processType: type, number: number))
            }
        }
        return Target(release: release.version, slots: slots, singletons: singletons)
    }

    // MARK: Steps

    /// Takes every step that can be taken now.
    func reconcile() async {
        // Also for a deployment that was cancelled: what it started has to go.
        await shielded {
            _ = try? await self.gate.withTurn { try await self.pass(forcing: []) }
        }
    }

    /// Ends what there is of these process types, and returns when it has ended: however long its grace is, and unless the
    /// task is cancelled.
    private func makeRoom(for types: Set<String>, progress: Progress) async throws {
        let old = self.observed.filter { types.contains($0.processType) }
        guard !old.isEmpty else { return }
        self.retiring.formUnion(old.map(\.id))
        await progress("Stopping \(old.map(\.name).joined(separator: ", ")), before another is started")
        // The routes leave them first.
        await self.reconcile()
        let (ended, end) = AsyncStream<Never>.makeStream()
        if !self.end(old.map(\.id), then: { end.finish() }) { throw CancellationError() }
        for await _ in ended {}
        try Task.checkCancellation()
    }

    /// What runs. Whatever was let go counts as stopping from that moment, though its requests may take a while: nothing
    /// may be routed to it again, and its place is free.
    var observed: [WorkloadInstance] {
        self.runtime.instances(of: self.applicationID).map { instance in
            guard self.retiring.contains(instance.id) else { return instance }
            var instance = instance
            instance.phase = .stopping
            return instance
        }
    }

    func pass(forcing forced: [ReconcilePlan.Start]) async throws -> [ReconcilePlan.Start: PlatformError] {
        guard self.isLoaded, !self.isRetired else { return [:] }
        var failures: [ReconcilePlan.Start: PlatformError] = [:]
        var plan = ReconcilePlan(desired: self.desired, observed: self.observed)
        for start in plan.starts + forced.filter({ !plan.starts.contains($0) }) {
            guard !self.isRetired, let launch = self.launchPlans[start.release] else { continue }
            do throws(PlatformError) {
                _ = try await self.runtime.start(self.request(launch, start.slot))
            } catch {
                failures[start] = error
                self.logger.warning(
                    "cannot start an instance",
                    metadata: [
                        "application.id": "\(self.applicationID)", "instance": "\(start.slot)", "error": "\(error)",
                    ])
            }
        }
        guard !self.isRetired else { return failures }
        plan = ReconcilePlan(desired: self.desired, observed: self.observed)
        if self.setRoute(plan) { self.letGo(plan.retired) }
        return failures
    }

    /// Leads requests to where the plan says; false when that failed.
    @discardableResult
    private func setRoute(_ plan: ReconcilePlan) -> Bool {
        var route = WorkloadRoute(
            applicationID: self.applicationID, hosts: self.routeSettings.hosts, instances: plan.routed,
            maintenance: self.routeSettings.maintenance)
        route.https = self.routeSettings.https
        if self.isHolding(plan) { route.hold = self.settings.startHold }
        let routed = Set(plan.routed)
        let processes = self.observed.filter { routed.contains($0.id) }.map(Process.init).sorted { $0.id < $1.id }
        guard route != self.currentRoute || processes != self.routedProcesses else { return true }
        do throws(PlatformError) {
            try self.runtime.setRoute(route)
            self.currentRoute = route
            self.routedProcesses = processes
            return true
        } catch {
            self.logger.error(
                "cannot set a route", metadata: ["application.id": "\(self.applicationID)", "error": "\(error)"])
            return false
        }
    }

    /// Whether requests wait when there is no instance for them.
    private func isHolding(_ plan: ReconcilePlan) -> Bool {
        guard self.settings.startHold > .zero else { return false }
        let (isHolding, timer) = self.hold.step(isServed: plan.isServed, isReady: !plan.routed.isEmpty)
        if let timer {
            self.jobs.add {
                guard (try? await self.clock.sleep(for: self.settings.startHold)) != nil else { return }
                await self.holdEnded(timer)
            }
        }
        return isHolding
    }

    private func holdEnded(_ timer: Int) async {
        guard self.hold.end(timer) else { return }
        await self.reconcile()
    }

    /// The routes have left these; now their requests may finish, and then they end.
    private func letGo(_ ids: [String]) {
        let ids = ids.filter { self.retiring.insert($0).inserted }
        guard !ids.isEmpty else { return }
        self.end(ids)
    }

    @discardableResult
    func end(_ ids: [String], then: @escaping @Sendable () -> Void = {}) -> Bool {
        self.jobs.add {
            defer { then() }
            await self.runtime.drain(ids, grace: self.settings.drainGrace)
            await withDiscardingTaskGroup { group in
                for id in ids { group.addTask { await self.runtime.stop(id) } }
            }
            await self.forget(ids)
            // What could not be started beside it can be now.
            await self.reconcile()
        }
    }

    private func forget(_ ids: [String]) { self.retiring.subtract(ids) }

    private func request(_ plan: LaunchPlan, _ slot: Slot) -> WorkloadRequest {
        let highest = self.runtime.instances(of: self.applicationID).map(\.serial).max() ?? 0
        self.lastSerial = max(self.lastSerial, highest) + 1
        let isWeb = slot.processType == "web"
        var life = plan.release.life[slot.processType] ?? LifeRecord()
        if isWeb, life.readiness == nil { life.readiness = CheckRecord(.listening) }
        return WorkloadRequest(
            applicationID: self.applicationID, processType: slot.processType, number: slot.number,
            release: plan.release.version, serial: self.lastSerial, slug: plan.release.slug,
            command: .shell(plan.release.processTypes[slot.processType] ?? ""),
            environment: plan.environment.merging(["SLIPWAY_PROCESS": slot.description]) { $1 },
            life: life, needsPort: isWeb || life.asksPort,
            stopGrace: life.stopGraceSeconds.map { .seconds($0) } ?? self.settings.stopGrace,
            size: plan.sizes[slot.processType] ?? .unlimited, user: plan.user,
            storage: plan.storage.string)
    }
}
