import Synchronization
import Testing

@testable import ProcessSupervisor

/// A week of an instance's life in milliseconds, many times over.
@Suite(.timeLimit(.minutes(5))) struct InstanceModelTests {
    static let week = Duration.seconds(7 * 24 * 3600)

    static func spec(readiness: Bool, liveness: Bool, restart: RestartPolicy) -> InstanceSpec {
        var probe = Probe.http(path: "/")
        probe.failureThreshold = 2
        return InstanceSpec(
            id: "a/web.1", process: ProcessSpec(arguments: ["x"], workingDirectory: "/"), port: .allocate,
            readiness: readiness ? probe : nil, bootTimeout: .seconds(60), liveness: liveness ? probe : nil,
            restart: restart, stop: StopPolicy(signal: 15, grace: .seconds(30)))
    }

    static let specs: [InstanceSpec] = [
        spec(readiness: true, liveness: true, restart: .always(backoff: BackoffPolicy())),
        spec(readiness: false, liveness: false, restart: .always(backoff: BackoffPolicy())),
        spec(readiness: true, liveness: false, restart: .onFailure(backoff: BackoffPolicy(maxAttempts: 3))),
        spec(readiness: false, liveness: true, restart: .never),
        full,
    ]

    /// With everything that there is.
    static var full: InstanceSpec {
        var spec = spec(readiness: true, liveness: true, restart: .always(backoff: BackoffPolicy()))
        spec.startup = .probe(.tcp)
        spec.postStart = LifecycleCommand(["x"])
        spec.preStop = LifecycleCommand(["x"])
        spec.recycling = RecyclePolicy(maxAge: .seconds(3600), jitter: 1)
        return spec
    }

    @Test(arguments: specs.indices) func `a week of crashes, probes and restarts breaks no promise`(index: Int) {
        var starts = 0
        for seed in 0..<(index == 4 ? 3 : 10) as Range<UInt64> {
            var model = InstanceModel(spec: Self.specs[index], seed: seed)
            model.live(for: Self.week)
            #expect(model.violations == [], "seed \(seed)")
            starts += model.starts
        }
        #expect(starts > (index < 2 || index == 4 ? 300 : 9))
    }

    @Test func `the same seed is the same week`() {
        let lives = (0..<2).map { _ in
            var model = InstanceModel(spec: Self.specs[0], seed: 42)
            model.live(for: Self.week)
            return [model.starts, model.ends, model.machine.restarts]
        }
        #expect(lives[0] == lives[1])
    }

    @Test func `a stop at any moment of the beginning ends it`() {
        for milliseconds in 0..<2000 {
            var model = InstanceModel(spec: Self.specs[[0, 1, 4][milliseconds % 3]], seed: UInt64(milliseconds / 50))
            model.live(for: .milliseconds(milliseconds) / 2)
            #expect(model.violations == [], "stopped after \(milliseconds) half milliseconds")
        }
    }
}

/// A source of chance that a machine keeps and a test repeats.
final class SharedSplitMix: Sendable {
    private let generator: Mutex<SplitMix>
    init(seed: UInt64) { self.generator = Mutex(SplitMix(state: seed)) }
    func next() -> UInt64 { self.generator.withLock { $0.next() } }
}
