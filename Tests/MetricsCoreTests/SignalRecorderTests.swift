import Foundation
import Testing

@testable import MetricsCore

@Suite struct SignalRecorderTests {
    private let time = ManualTime(1_000_000_000)

    private func recorder(_ change: (inout SignalRecorder.Configuration) -> Void = { _ in }) -> SignalRecorder {
        var configuration = SignalRecorder.Configuration()
        change(&configuration)
        let time = self.time
        return SignalRecorder(configuration: configuration, now: { time.now })
    }

    private func usage(_ megabytes: Int64, cpu: Double) -> ResourceUsage {
        ResourceUsage(residentBytes: megabytes << 20, cpuTime: .seconds(cpu), processes: 1)
    }

    @Test func `requests become throughput, errors and latency`() throws {
        let recorder = self.recorder()
        for index in 0..<100 {
            let status = index < 90 ? 200 : index < 95 ? 404 : 503
            recorder.recordRequest(
                application: "shop", status: status, nanoseconds: Int64(index + 1) * 1_000_000,
                errorCode: status == 503 ? "no-healthy-instance" : nil)
        }
        self.time.advance(9)
        let report = recorder.report(application: "shop", since: .seconds(60))
        #expect(report.requests == 100 && report.clientErrors == 5 && report.serverErrors == 5)
        #expect(report.serverErrorRate == 0.05)
        // Known for nine seconds only.
        #expect(report.windowSeconds == 9 && report.throughput == 100.0 / 9)
        #expect(report.errorsByCode == ["no-healthy-instance": 5])
        let latency = try #require(report.latency)
        #expect(abs(latency.p50 - 50) < 1 && abs(latency.p95 - 95) < 2 && abs(latency.p99 - 99) < 2)
        #expect(latency.max == 100)
    }

    @Test func `a window has what happened in it`() {
        let recorder = self.recorder()
        // One request in minute 0, two in minute 1, and so on.
        for minute in 0..<10 {
            for _ in 0...minute { recorder.recordRequest(application: "shop", status: 200, nanoseconds: 5) }
            self.time.advance(60)
        }
        // Now is the end of minute 9.
        for (seconds, expected) in [(60, 10), (120, 19), (600, 55), (3_600, 55), (10, 0)] {
            let report = recorder.report(application: "shop", since: .seconds(seconds))
            #expect(report.requests == expected, "\(seconds) s")
            #expect(report.windowSeconds == Double(min(seconds, 600)))
            #expect((report.latency == nil) == (expected == 0))
        }
        // A report between buckets includes the whole of the oldest bucket.
        self.time.advance(5)
        let report = recorder.report(application: "shop", since: .seconds(60))
        #expect(report.requests == 10 && report.windowSeconds == 65)
    }

    @Test func `a day is kept in coarse buckets, and no more`() {
        let recorder = self.recorder()
        let hours = 30
        for _ in 0..<(hours * 60) {
            recorder.recordRequest(application: "shop", status: 200, nanoseconds: 1_000)
            self.time.advance(60)
        }
        #expect(recorder.report(application: "shop", since: .seconds(3_600)).requests == 60)
        let twoHours = recorder.report(application: "shop", since: .seconds(7_200))
        #expect(twoHours.requests == Int(twoHours.windowSeconds) / 60)
        #expect((7_200...7_500).contains(twoHours.windowSeconds))
        let all = recorder.report(application: "shop", since: .seconds(1_000_000))
        #expect((86_400...86_700).contains(all.windowSeconds))
        #expect(all.requests == Int(all.windowSeconds) / 60)
    }

    @Test func `an unknown application has an empty report`() {
        let report = self.recorder().report(application: "nobody", since: .seconds(60))
        #expect(report.requests == 0 && report.latency == nil && report.windowSeconds == 60)
        #expect(report.throughput == 0 && report.serverErrorRate == 0)
    }

    @Test func `resources are summed over the instances that are there`() {
        let recorder = self.recorder()
        // Adopted after days of work: its past says nothing about now.
        recorder.recordResources(
            application: "shop", process: "web.1", usage: self.usage(100, cpu: 5_000), memoryLimit: 512 << 20)
        recorder.recordResources(application: "shop", process: "web.2", usage: self.usage(50, cpu: 1), memoryLimit: nil)
        self.time.advance(10)
        recorder.recordResources(
            application: "shop", process: "web.1", usage: self.usage(120, cpu: 5_005), memoryLimit: 512 << 20)
        // Restarted in between.
        recorder.recordResources(
            application: "shop", process: "web.2", usage: self.usage(60, cpu: 0.5), memoryLimit: nil)
        let report = recorder.report(application: "shop", since: .seconds(60))
        #expect(report.memoryBytes == 180 << 20)
        #expect(report.cpuCores == 0.55)
        #expect(report.processes["web.1"] == .init(memoryBytes: 120 << 20, memoryLimitBytes: 512 << 20, cpuCores: 0.5))
        #expect(report.processes["web.2"]?.cpuCores == 0.05)

        self.time.advance(50)
        recorder.recordResources(
            application: "shop", process: "web.1", usage: self.usage(90, cpu: 5_005), memoryLimit: nil)
        self.time.advance(11)
        let later = recorder.report(application: "shop", since: .seconds(10))
        #expect(later.memoryBytes == 90 << 20 && Array(later.processes.keys) == ["web.1"])
    }

    @Test func `restarts are counted from totals`() {
        let recorder = self.recorder()
        for (total, expected) in [(2, 2), (2, 2), (5, 5), (1, 6), (1, 6)] {
            recorder.recordInstances(application: "shop", ready: 1, wanted: 2, restarts: total)
            #expect(recorder.report(application: "shop", since: .seconds(60)).restarts == expected)
        }
        let report = recorder.report(application: "shop", since: .seconds(60))
        #expect(report.instancesReady == 1 && report.instancesWanted == 2)
        self.time.advance(120)
        let later = recorder.report(application: "shop", since: .seconds(60))
        #expect(later.restarts == 0 && later.instancesWanted == 2)
    }

    @Test func `codes, applications and instances are bounded`() {
        let recorder = self.recorder {
            $0.maxErrorCodes = 2
            $0.maxApplications = 1
            $0.maxProcesses = 1
        }
        for code in ["a", "b", "c", "d", "a"] {
            recorder.recordRequest(application: "shop", status: 503, nanoseconds: 1, errorCode: code)
        }
        recorder.recordRequest(application: "other", status: 200, nanoseconds: 1)
        recorder.recordInstances(application: "other", ready: 1, wanted: 1, restarts: 0)
        for name in ["web.1", "web.2"] {
            recorder.recordResources(application: "shop", process: name, usage: self.usage(1, cpu: 1))
        }
        let report = recorder.report(application: "shop", since: .seconds(60))
        #expect(report.errorsByCode == ["a": 2, "b": 1, "other": 2])
        #expect(Array(report.processes.keys) == ["web.1"])
        #expect(recorder.applications == ["shop"])
        // A place becomes free when an instance is no longer seen.
        self.time.advance(61)
        recorder.recordResources(application: "shop", process: "web.2", usage: self.usage(1, cpu: 1))
        #expect(Array(recorder.report(application: "shop", since: .seconds(60)).processes.keys) == ["web.2"])
    }

    @Test func `a removed application begins anew`() {
        let recorder = self.recorder()
        recorder.recordRequest(application: "shop", status: 200, nanoseconds: 1)
        recorder.recordInstances(application: "shop", ready: 1, wanted: 1, restarts: 3)
        recorder.remove(application: "shop")
        #expect(recorder.applications.isEmpty)
        recorder.recordRequest(application: "shop", status: 200, nanoseconds: 1)
        let report = recorder.report(application: "shop", since: .seconds(60))
        #expect(report.requests == 1 && report.restarts == 0)
    }

    @Test func `a clock that goes back loses nothing`() {
        let recorder = self.recorder()
        recorder.recordRequest(application: "shop", status: 200, nanoseconds: 1)
        self.time.advance(-3_600)
        recorder.recordRequest(application: "shop", status: 200, nanoseconds: 1)
        recorder.recordResources(application: "shop", process: "web.1", usage: self.usage(1, cpu: 1))
        #expect(recorder.report(application: "shop", since: .seconds(60)).requests == 2)
        self.time.advance(3_600)
        recorder.recordRequest(application: "shop", status: 200, nanoseconds: 1)
        #expect(recorder.report(application: "shop", since: .seconds(60)).requests == 3)
    }

    @Test func `a series has every request once`() throws {
        let recorder = self.recorder()
        for minute in 0..<30 {
            for _ in 0..<minute { recorder.recordRequest(application: "shop", status: 500, nanoseconds: 2_000_000) }
            self.time.advance(60)
        }
        let points = recorder.series(application: "shop", since: .seconds(1_800), points: 30)
        #expect(points.count <= 30)
        #expect(points.reduce(0) { $0 + $1.requests } == 29 * 30 / 2)
        #expect(points.reduce(0) { $0 + $1.serverErrors } == 29 * 30 / 2)
        #expect(points.first?.secondsAgo == 1_800)
        #expect(try #require(points.dropLast().last?.latency).p50 == 2)
        #expect(recorder.series(application: "shop", since: .seconds(60), points: 0).isEmpty)
        #expect(recorder.series(application: "nobody", since: .seconds(60), points: 5).isEmpty)
        #expect(recorder.series(application: "shop", since: .seconds(Int64.max), points: .max).count <= 289)
    }

    @Test func `a registry writes the totals of all applications`() {
        let recorder = self.recorder()
        for status in [200, 404, 503] {
            recorder.recordRequest(
                application: "shop", status: status, nanoseconds: 8_000_000,
                errorCode: status == 503 ? "queue-full" : nil)
            // Totals are not windows: nothing of them ages.
            self.time.advance(100_000)
        }
        recorder.recordResources(application: "shop", process: "web.1", usage: self.usage(3, cpu: 1), memoryLimit: 99)
        recorder.recordInstances(application: "blog", ready: 1, wanted: 2, restarts: 4)
        var configuration = MetricsRegistry.Configuration()
        configuration.histogramBounds = [.milliseconds(5), .milliseconds(10)]
        let registry = MetricsRegistry(configuration: configuration)
        registry.expose(recorder)
        registry.gauge("application.memory.bytes").set(1)
        let text = registry.prometheusText()
        for sample in [
            "application_requests_total{app=\"blog\"} 0\napplication_requests_total{app=\"shop\"} 3\n",
            "application_client_errors_total{app=\"shop\"} 1\n", "application_server_errors_total{app=\"shop\"} 1\n",
            "# TYPE application_router_errors_total counter\n",
            "application_router_errors_total{app=\"shop\",code=\"queue-full\"} 1\n",
            "application_request_duration_seconds_bucket{app=\"shop\",le=\"0.005\"} 0\n",
            "application_request_duration_seconds_bucket{app=\"shop\",le=\"0.01\"} 3\n",
            "application_request_duration_seconds_sum{app=\"shop\"} 0.024\n",
            "application_memory_bytes{app=\"shop\",process=\"web.1\"} 3145728\n",
            "application_memory_limit_bytes{app=\"shop\",process=\"web.1\"} 99\n",
            "application_instances_wanted{app=\"blog\"} 2\n", "application_restarts_total{app=\"blog\"} 4\n",
        ] { #expect(text.contains(sample), "\(sample)") }
        #expect(!text.contains("application_memory_bytes 1") && registry.refusedSeries == 1)
        recorder.remove(application: "shop")
        #expect(!registry.prometheusText().contains("shop"))
    }

    @Test func `no request is lost when many tasks record and report`() async {
        let recorder = SignalRecorder()
        await withTaskGroup { group in
            for task in 0..<8 {
                group.addTask {
                    for index in 0..<2_000 {
                        recorder.recordRequest(
                            application: "app \(index % 4)", status: task == 0 ? 502 : 200, nanoseconds: Int64(index),
                            errorCode: task == 0 ? "broken" : nil)
                        if index % 200 == 0 { _ = recorder.report(application: "app 1", since: .seconds(60)) }
                    }
                }
            }
        }
        for app in 0..<4 {
            let report = recorder.report(application: "app \(app)", since: .seconds(600))
            #expect(report.requests == 4_000 && report.serverErrors == 500 && report.errorsByCode == ["broken": 500])
        }
    }
}
