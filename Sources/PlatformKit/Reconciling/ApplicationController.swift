internal import Logging
internal import PlatformWire

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

    nonisolated let applicationID: String
    let runtime: any WorkloadRuntime
    let settings: Settings
    let clock: any Clock<Duration>
    let jobs: BackgroundJobs
    let logger: Logger
    let gate = TurnQueue()

    var desired = DesiredState()
    var launchPlans: [Int: LaunchPlan] = [:]
    var routeSettings = RouteSettings()
    private(set) var isLoaded = false
    var isRetired = false
    var currentRoute: WorkloadRoute?
    /// The processes that the route led to when it was set: one that was started again may be at another port.
    var routedProcesses: [RoutedProcess] = []
    var hold = HoldWindow()
    var retiring: Set<String> = []
    var lastSerial = 0
    var retry = StartRetry()

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
            self.desired.user = plan.user
            self.desired.live = Self.target(plan.release, formation: formation)
        }
        self.isLoaded = true
        guard !reconciling else { return await self.reconcile() }
        await shielded { _ = try? await self.gate.withTurn { await self.setFirstRoute() } }
    }

    /// Has instances that are started from now on be limited by these sizes.
    func set(sizes: [String: InstanceSize]) {
        guard let live = self.desired.live else { return }
        self.launchPlans[live.release]?.sizes = sizes
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
}
