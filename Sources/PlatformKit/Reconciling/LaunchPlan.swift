internal import PlatformWire

/// What the controller must know to start an instance of a release.
struct LaunchPlan: Sendable {
    var release: ReleaseRecord
    var environment: [String: String]
    /// What instances of a process type may use.
    var sizes: [String: InstanceSize]
    /// What stays of what they write.
    var storage: ApplicationStorage

    /// As whom they run; nil: as the platform.
    var user: UInt32? { self.storage.user }
}

/// What a route has beside its instances.
struct RouteSettings: Sendable, Hashable {
    var hosts: [String] = []
    var maintenance = false
    var https: WorkloadRoute.HTTPS?
}

/// Says one line of progress to whoever waits.
typealias Progress = @Sendable (String) async -> Void
