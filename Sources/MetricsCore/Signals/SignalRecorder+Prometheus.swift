/// The signals as Prometheus metrics: totals and states, from which a scraper works out rates and windows itself.
extension SignalRecorder {
    private enum Metric: String, CaseIterable {
        case requests = "Requests answered, by the application or by the router for it."
        case clientErrors = "Answers with a status of 400 to 499."
        case serverErrors = "Answers with a status of 500 or more."
        case routerErrors = "Answers that the router gave itself, by error code."
        case requestDuration = "How long requests took to answer."
        case cpuSeconds = "CPU time used by instances since they were first sampled."
        case memoryBytes = "Memory used by each instance now."
        case memoryLimitBytes = "The most memory each instance may have."
        case instancesReady = "Instances that are ready now."
        case instancesWanted = "Instances that there should be."
        case restarts = "Restarts of instances that nobody asked for."

        var kind: MetricFamily.Kind {
            switch self {
            case .requests, .clientErrors, .serverErrors, .routerErrors, .cpuSeconds, .restarts: .counter
            case .requestDuration: .histogram
            case .memoryBytes, .memoryLimitBytes, .instancesReady, .instancesWanted: .gauge
            }
        }

        var label: String { "application." + PrometheusText.metricName(String(describing: self)) }
        var exposed: String { MetricFamily.names(self.label, kind: self.kind).exposed }
    }

    /// The sample names that these metrics occupy in a registry.
    static var samples: [String] {
        Metric.allCases.flatMap { MetricFamily.samples($0.exposed, kind: $0.kind) }
    }

    /// What is known of all applications now. Metrics without a series are left out.
    func families(labelValueBytes: Int) -> [MetricFamily] {
        var series: [Metric: [String: MetricFamily.Series]] = [:]
        for application in self.applications {
            guard let history = self.history(application) else { continue }
            func add(_ metric: Metric, _ value: MetricFamily.Series, _ dimensions: [(String, String)] = []) {
                let labels = PrometheusText.labels([("app", application)] + dimensions, valueBytes: labelValueBytes)
                series[metric, default: [:]][labels] = value
            }
            let totals = history.totals
            add(.requests, .value(String(totals.requests)))
            add(.clientErrors, .value(String(totals.clientErrors)))
            add(.serverErrors, .value(String(totals.serverErrors)))
            for (code, count) in totals.errorsByCode { add(.routerErrors, .value(String(count)), [("code", code)]) }
            add(.requestDuration, .snapshot(totals.latency))
            add(.cpuSeconds, .value(PrometheusText.number(totals.cpuSeconds)))
            for (name, process) in history.freshProcesses(at: self.clock.nanoseconds) {
                add(.memoryBytes, .value(String(process.usage.residentBytes)), [("process", name)])
                guard let limit = process.memoryLimit else { continue }
                add(.memoryLimitBytes, .value(String(limit)), [("process", name)])
            }
            add(.instancesReady, .value(String(history.instances.ready)))
            add(.instancesWanted, .value(String(history.instances.wanted)))
            add(.restarts, .value(String(totals.restarts)))
        }
        return Metric.allCases.compactMap { metric in
            guard let series = series[metric] else { return nil }
            return MetricFamily(
                kind: metric.kind, name: metric.exposed, label: metric.label, ownHelp: metric.rawValue, series: series)
        }
    }
}
