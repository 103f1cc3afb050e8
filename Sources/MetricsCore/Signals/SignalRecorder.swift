#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Keeps the five signals of every application for a day: latency, errors, throughput, utilisation, instance health.
///
/// The router tells of each request, a sampler of resources, the control plane of instances; ``report(application:since:)``
/// answers for any window that ends now. Recording a request costs well under 100 ns and allocates nothing once the
/// application is known. Nothing needs to run: buckets are closed by whoever comes next.
public final class SignalRecorder: Sendable {
    /// How finely and how long signals are kept.
    public struct Configuration: Sendable {
        /// The resolution of the last ``fineRetention``. 10 s.
        public var bucket: Duration = .seconds(10)
        /// How long buckets are kept as they are. 1 h.
        public var fineRetention: Duration = .seconds(3_600)
        /// The resolution before that; a multiple of ``bucket``. 5 min.
        public var coarseBucket: Duration = .seconds(300)
        /// How long signals are kept. 24 h.
        public var retention: Duration = .seconds(86_400)
        /// A sample of resources that is older no longer counts as now. 1 min.
        public var staleAfter: Duration = .seconds(60)
        /// The most applications; further ones are not recorded. 10,000.
        public var maxApplications = 10_000
        /// The most error codes of an application in a bucket; further ones count as `other`. 64.
        public var maxErrorCodes = 64
        /// The most instances of an application at a time; further ones are not recorded. 256.
        public var maxProcesses = 256
        /// How many threads record without waiting for each other. 8.
        public var stripes = 8

        /// The defaults.
        public init() {}

        var scale: SignalScale {
            func nanoseconds(_ duration: Duration) -> Int64 {
                min(Int64(exactly: (duration / .nanoseconds(1)).rounded()) ?? .max / 4, .max / 4)
            }
            let bucket = max(nanoseconds(self.bucket), 1_000_000)
            return SignalScale(
                bucket: bucket, fineBuckets: max(nanoseconds(self.fineRetention) / bucket, 1),
                finePerCoarse: max(nanoseconds(self.coarseBucket) / bucket, 1),
                retainedBuckets: max(nanoseconds(self.retention) / bucket, 1),
                staleAfter: nanoseconds(self.staleAfter), maxErrorCodes: max(self.maxErrorCodes, 1),
                maxProcesses: max(self.maxProcesses, 1))
        }
    }

    private let scale: SignalScale
    let clock: SignalClock
    private let stripes: Stripes<SignalStripe>
    private let histories: SignalHistories

    /// Makes an empty recorder.
    ///
    /// - Parameters:
    ///   - configuration: Resolution and limits.
    ///   - now: The time, read for every request; `nil` is the machine's monotonic clock, the cheapest to read. When it
    ///     goes backwards, what is recorded counts for the newest time so far.
    public init(configuration: Configuration = .init(), now: (@Sendable () -> Date)? = nil) {
        self.scale = configuration.scale
        self.clock = SignalClock(now: now)
        let maxErrorCodes = self.scale.maxErrorCodes
        self.stripes = Stripes(count: configuration.stripes) { SignalStripe(maxErrorCodes: maxErrorCodes) }
        self.histories = SignalHistories(
            scale: self.scale, maxApplications: configuration.maxApplications, clock: self.clock)
    }

    // MARK: Recording

    /// Counts one request.
    ///
    /// - Parameters:
    ///   - application: Whom it was for.
    ///   - status: The status it was answered with; 500 and above is an error.
    ///   - nanoseconds: How long the answer took.
    ///   - errorCode: The router's code when it answered itself, such as `no-healthy-instance`.
    public func recordRequest(application: String, status: Int, nanoseconds: Int64, errorCode: String? = nil) {
        let number = self.clock.nanoseconds / self.scale.bucket
        self.stripes.withCurrent {
            $0.record(
                application, number: number, status: status, nanoseconds: nanoseconds, errorCode: errorCode,
                history: self.histories)
        }
    }

    /// Takes a sample of what one instance uses.
    public func recordResources(application: String, process: String, usage: ResourceUsage, memoryLimit: Int64? = nil) {
        let time = self.clock.nanoseconds
        self.histories.update(application) {
            $0.record(usage, memoryLimit: memoryLimit, process: process, at: time)
        }
    }

    /// Takes the health of the application's instances.
    ///
    /// - Parameters:
    ///   - application: Whose they are.
    ///   - ready: How many are ready.
    ///   - wanted: How many there should be.
    ///   - restarts: How often any of them was restarted unasked, in total; a report has the difference. A total that is
    ///     smaller than the last one has begun anew.
    public func recordInstances(application: String, ready: Int, wanted: Int, restarts: Int) {
        let time = self.clock.nanoseconds
        self.histories.update(application) {
            $0.recordInstances(ready: ready, wanted: wanted, restarts: restarts, at: time)
        }
    }

    /// Forgets the application.
    public func remove(application: String) {
        self.stripes.forEach { $0.remove(application) }
        self.histories.remove(application)
    }

    // MARK: Reading

    /// The applications of which anything is known, sorted.
    public var applications: [String] { self.histories.applications }

    /// The signals of the last `since`, rounded up to whole buckets; of an unknown application, an empty report.
    public func report(application: String, since: Duration) -> SignalReport {
        let now = self.clock.nanoseconds
        let since = Self.nanoseconds(since)
        var report = SignalReport()
        guard let history = self.history(application) else {
            report.windowSeconds = Double(since) / 1e9
            return report
        }
        let start = history.windowStart(now: now, since: since)
        var total = SignalBucket()
        history.forEachBucket(from: start, coarse: history.usesCoarse(now: now, since: since)) { _, bucket in
            total.merge(bucket, maxErrorCodes: self.scale.maxErrorCodes)
        }
        // The first moments of an application would make absurd rates.
        let seconds = max(Double(now - max(start, history.firstSeen)) / 1e9, 1)
        report.windowSeconds = seconds
        report.requests = total.requests
        report.throughput = Double(total.requests) / seconds
        report.serverErrors = total.serverErrors
        report.serverErrorRate = total.requests > 0 ? Double(total.serverErrors) / Double(total.requests) : 0
        report.clientErrors = total.clientErrors
        report.errorsByCode = total.errorsByCode
        report.latency = SignalReport.Latency(total.latency)
        report.cpuCores = total.cpuSeconds / seconds
        report.restarts = total.restarts
        report.processes = history.freshProcesses(at: now).mapValues { process in
            SignalReport.Process(
                memoryBytes: process.usage.residentBytes, memoryLimitBytes: process.memoryLimit,
                cpuCores: process.cpuCores)
        }
        report.memoryBytes = report.processes.values.reduce(0) { $0 &+ $1.memoryBytes }
        report.instancesReady = history.instances.ready
        report.instancesWanted = history.instances.wanted
        return report
    }

    /// The signals of the last `since` in at most `points` consecutive spans of equal length, oldest first, for a graph.
    ///
    /// Spans are whole buckets long, so that there may be fewer than `points`.
    public func series(application: String, since: Duration, points: Int) -> [SignalPoint] {
        let now = self.clock.nanoseconds
        let since = Self.nanoseconds(since)
        guard points > 0, let history = self.history(application) else { return [] }
        let coarse = history.usesCoarse(now: now, since: since)
        let start = history.windowStart(now: now, since: since)
        let unit = self.scale.bucket * (coarse ? self.scale.finePerCoarse : 1)
        let units = (now - start) / unit + 1
        let points = min(Int64(points), units)
        let step = (units + points - 1) / points * unit
        var buckets = [SignalBucket](repeating: SignalBucket(), count: Int((now - start) / step) + 1)
        history.forEachBucket(from: start, coarse: coarse) { time, bucket in
            let index = Int((time - start) / step)
            guard buckets.indices.contains(index) else { return }
            buckets[index].merge(bucket, maxErrorCodes: self.scale.maxErrorCodes)
        }
        return buckets.enumerated().map { index, bucket in
            let begin = start + Int64(index) * step
            var point = SignalPoint()
            point.secondsAgo = Double(now - begin) / 1e9
            point.seconds = Double(min(step, now - begin)) / 1e9
            point.requests = bucket.requests
            point.serverErrors = bucket.serverErrors
            point.clientErrors = bucket.clientErrors
            point.latency = SignalReport.Latency(bucket.latency)
            point.cpuCores = point.seconds > 0 ? bucket.cpuSeconds / point.seconds : 0
            point.memoryBytes = bucket.peakMemoryBytes
            point.restarts = bucket.restarts
            return point
        }
    }

    /// Everything that is known of the application, with what the stripes still hold.
    func history(_ application: String) -> SignalHistory? {
        self.stripes.forEach { $0.flush(application, to: self.histories) }
        return self.histories[application]
    }

    private static func nanoseconds(_ duration: Duration) -> Int64 {
        let longest = Int64.max / 4
        return min(max(0, Int64(exactly: (duration / .nanoseconds(1)).rounded()) ?? longest), longest)
    }
}
