/// When an instance is set aside for a while because requests fail there. It still gets those for which there is no
/// other.
///
/// Probes (``HealthMonitor``) are another matter: an instance that fails them gets no requests, and when it passes again,
/// it is no longer set aside.
public struct EjectionPolicy: Sendable, Hashable {
    /// After so many failures in a row: 3. A failure is a connection that is refused or not accepted in time, and an
    /// exchange that the instance breaks off or does not begin to answer in time.
    public var consecutiveFailures = 3
    /// For how long at first: 500 ms; the second time for twice as long, the third time for three times.
    public var base: Duration = .milliseconds(500)
    /// For how long at most: 5 s.
    public var maximum: Duration = .seconds(5)
    /// Whether an answer of 500 or above is a failure as well: no. Such an answer comes from the application, and
    /// sending its clients elsewhere seldom helps.
    public var countsServerErrors = false
    /// How much of an application's instances may be set aside at a time: 50 percent. At least one may unless this is
    /// 0, and at least one stays in any case.
    public var maxEjectedPercent = 50
    /// After how long without being set aside it counts as never having been: 60 s.
    public var forgetAfter: Duration = .seconds(60)

    /// The defaults.
    public init() {}

    /// How many of so many instances may be set aside.
    func limit(of instances: Int) -> Int {
        guard self.maxEjectedPercent > 0 else { return 0 }
        return min(instances - 1, max(1, instances * min(self.maxEjectedPercent, 100) / 100))
    }
}
