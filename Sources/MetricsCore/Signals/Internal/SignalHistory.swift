internal import DequeModule

/// What is known of one application: fine buckets for the last hour, coarse ones before, and the state of now.
struct SignalHistory {
    struct Process {
        var usage: ResourceUsage
        var memoryLimit: Int64?
        var cpuCores: Double
        var time: Int64
    }

    let scale: SignalScale
    let firstSeen: Int64
    private var fine: Deque<(number: Int64, bucket: SignalBucket)> = []
    private var coarse: Deque<(number: Int64, bucket: SignalBucket)> = []
    /// Everything since the application became known: what a scraper wants, which takes the differences itself.
    private(set) var totals = SignalBucket()
    private(set) var processes: [String: Process] = [:]
    private(set) var instances: (ready: Int, wanted: Int, restarts: Int) = (0, 0, 0)

    init(scale: SignalScale, firstSeen: Int64) {
        self.scale = scale
        self.firstSeen = firstSeen
    }

    mutating func merge(_ bucket: SignalBucket, number: Int64) {
        self.totals.merge(bucket, maxErrorCodes: self.scale.maxErrorCodes)
        Self.insert(bucket, number, into: &self.fine, maxErrorCodes: self.scale.maxErrorCodes)
        guard let newest = self.fine.last?.number else { return }
        while let oldest = self.fine.first, oldest.number < newest - self.scale.fineBuckets {
            self.fine.removeFirst()
            let number = oldest.number / self.scale.finePerCoarse
            Self.insert(oldest.bucket, number, into: &self.coarse, maxErrorCodes: self.scale.maxErrorCodes)
        }
        let horizon = (newest - self.scale.retainedBuckets) / self.scale.finePerCoarse
        while let oldest = self.coarse.first, oldest.number < horizon { self.coarse.removeFirst() }
    }

    mutating func record(_ usage: ResourceUsage, memoryLimit: Int64?, process: String, at time: Int64) {
        var spent = 0.0
        var cores = 0.0
        if let last = self.processes[process] {
            // Less than before means that the instance began anew since: all of it is new. The first sample of an
            // instance says nothing about now; an adopted one may have run for days.
            spent = usage.cpuSeconds - last.usage.cpuSeconds
            if spent < 0 { spent = usage.cpuSeconds }
            let elapsed = Double(time - last.time) / 1e9
            cores = elapsed > 0 ? spent / elapsed : last.cpuCores
        } else if self.processes.count >= self.scale.maxProcesses {
            self.processes = self.processes.filter { self.isFresh($0.value, at: time) }
            guard self.processes.count < self.scale.maxProcesses else { return }
        }
        self.processes[process] = Process(usage: usage, memoryLimit: memoryLimit, cpuCores: cores, time: time)
        var bucket = SignalBucket()
        bucket.cpuSeconds = spent
        bucket.peakMemoryBytes = self.freshProcesses(at: time).reduce(0) { $0 &+ $1.value.usage.residentBytes }
        self.merge(bucket, number: time / self.scale.bucket)
    }

    mutating func recordInstances(ready: Int, wanted: Int, restarts: Int, at time: Int64) {
        var bucket = SignalBucket()
        let before = self.instances.restarts
        bucket.restarts = restarts >= before ? restarts - before : restarts
        self.instances = (ready, wanted, restarts)
        if bucket.restarts > 0 { self.merge(bucket, number: time / self.scale.bucket) }
    }

    func freshProcesses(at time: Int64) -> [String: Process] {
        self.processes.filter { self.isFresh($0.value, at: time) }
    }

    /// The time at which a window of `since` nanoseconds before `now` begins: at the beginning of a bucket.
    func windowStart(now: Int64, since: Int64) -> Int64 {
        let start = max(now - max(since, 0), now - self.scale.retainedBuckets * self.scale.bucket)
        let number = start / self.scale.bucket
        guard self.usesCoarse(now: now, since: since) else { return number * self.scale.bucket }
        return number / self.scale.finePerCoarse * self.scale.finePerCoarse * self.scale.bucket
    }

    /// Visits every bucket that begins at `start` or later, oldest first.
    func forEachBucket(from start: Int64, coarse: Bool, _ body: (Int64, SignalBucket) -> Void) {
        let coarseBucket = self.scale.bucket * self.scale.finePerCoarse
        if coarse {
            for (number, bucket) in self.coarse where number * coarseBucket >= start {
                body(number * coarseBucket, bucket)
            }
        }
        for (number, bucket) in self.fine where number * self.scale.bucket >= start {
            body(number * self.scale.bucket, bucket)
        }
    }

    /// Whether a window reaches back beyond what the fine buckets are sure to cover.
    func usesCoarse(now: Int64, since: Int64) -> Bool {
        since > self.scale.fineBuckets * self.scale.bucket
    }

    private func isFresh(_ process: Process, at time: Int64) -> Bool {
        time - process.time <= self.scale.staleAfter
    }

    private static func insert(
        _ bucket: SignalBucket, _ number: Int64, into buckets: inout Deque<(number: Int64, bucket: SignalBucket)>,
        maxErrorCodes: Int
    ) {
        // Nearly always the newest; a thread that was idle may bring an older one.
        var position = buckets.count
        while position > 0, buckets[position - 1].number > number { position -= 1 }
        if position > 0, buckets[position - 1].number == number {
            buckets[position - 1].bucket.merge(bucket, maxErrorCodes: maxErrorCodes)
        } else {
            buckets.insert((number, bucket), at: position)
        }
    }
}
