/// Asks an instance whether it can serve.
///
/// ## Promises a conformer keeps
/// - It asks once, and tells what it found; it does not try again and does not remember.
/// - It returns soon after its task was cancelled, whatever the instance does: this is how its time is limited
///   (``ProbeSettings/timeout``).
/// - It holds at most a bounded amount of what the instance sends.
/// - Two that are equal ask the same.
///
/// Run `HealthProbeConformance` from `RouterCoreTesting` against yours.
public protocol HealthProbe: Sendable, Hashable {
    /// Asks an instance.
    func check(_ backend: Backend) async -> HealthReport
    /// Looks at what can be known without an instance. Routes with a probe that does not pass are refused.
    ///
    /// - Throws: ``RouterError`` with the code `invalidRoute` and a sentence that says what is wrong with it.
    func validate() throws(RouterError)
}

extension HealthProbe {
    /// Passes.
    public func validate() throws(RouterError) {}
}

/// What a probe found.
///
/// There may come to be more than two findings: ask ``isPassed`` whether the instance may get requests.
public struct HealthReport: Sendable, Hashable {
    private enum Finding: Hashable {
        case passed
        case failed(String)
    }

    private let finding: Finding

    /// The instance can serve.
    public static let passed = Self(finding: .passed)
    /// It cannot.
    ///
    /// - Parameter reason: what was found, as the end of a sentence: `answered 500`.
    public static func failed(_ reason: String) -> Self { Self(finding: .failed(reason)) }

    /// Whether the instance can serve.
    public var isPassed: Bool { self.finding == .passed }
    /// What speaks against the instance, as the end of a sentence; nil when nothing does.
    public var reason: String? {
        if case .failed(let reason) = self.finding { return reason }
        return nil
    }
}

/// How a ``HealthMonitor`` probes the instances of a route.
public struct ProbeSettings: Sendable, Hashable {
    /// What each instance is asked.
    public var probe: any HealthProbe {
        get { self.boxedProbe.probe }
        set { self.boxedProbe = AnyHealthProbe(newValue) }
    }
    /// How long a new instance is left alone: not at all.
    public var initialDelay: Duration = .zero
    /// From the end of one probe to the next: 5 s.
    public var interval: Duration = .seconds(5)
    /// By how much of itself the interval is longer or shorter, by chance, so that not all are asked at once: 0.1.
    public var jitter = 0.1
    /// How long a probe may take: 2 s. Then it has failed.
    public var timeout: Duration = .seconds(2)
    /// How many probes in a row bring an instance back: 2.
    public var rise = 2
    /// How many failures in a row take an instance out: 3.
    public var fall = 3
    /// Whether a new instance gets requests before it has passed: yes. If not, somebody has to probe it: without a
    /// ``HealthMonitor`` it never gets one.
    public var startsHealthy = true
    /// When fewer than this share of the route's instances are healthy, in percent, all of them are used, since then the
    /// probe is more likely wrong than they are: 0, never.
    public var panicPercent = 0

    private var boxedProbe: AnyHealthProbe

    /// The defaults, with this probe.
    public init(_ probe: some HealthProbe) { self.boxedProbe = AnyHealthProbe(probe) }
}

extension ProbeSettings {
    func validate() throws(RouterError) {
        try self.probe.validate()
        guard self.interval >= .milliseconds(100) else { throw .probe("Its interval is below 100 ms.") }
        guard self.initialDelay >= .zero, self.timeout > .zero else {
            throw .probe("Its delay is negative, or its timeout not positive.")
        }
        guard (0...1).contains(self.jitter) else { throw .probe("Its jitter is not between 0 and 1.") }
        guard (1...1000).contains(self.rise), (1...1000).contains(self.fall) else {
            throw .probe("Its rise or fall is not between 1 and 1,000.")
        }
        guard (0...100).contains(self.panicPercent) else {
            throw .probe("Its panic share is not between 0 and 100 percent.")
        }
    }
}

extension RouterError {
    /// A probe cannot be made.
    static func probe(_ why: String) -> RouterError { RouterError(.invalidRoute, why) }
}

/// Compares probes of any type.
private struct AnyHealthProbe: Sendable, Hashable {
    let probe: any HealthProbe

    init(_ probe: any HealthProbe) { self.probe = probe }

    static func == (lhs: Self, rhs: Self) -> Bool { AnyHashable(lhs.probe) == AnyHashable(rhs.probe) }
    func hash(into hasher: inout Hasher) { self.probe.hash(into: &hasher) }
}
