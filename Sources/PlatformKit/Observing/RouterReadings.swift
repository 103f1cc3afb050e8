internal import MetricsCore
internal import RouterCore

/// What a router has counted, as metrics.
///
/// The series of an application only grow. Those of an instance (`slipway_router_instance_…`) begin anew when another one
/// takes its place, and end with it, so that there are never more than those of the instances that are there.
struct RouterReadings {
    private struct Subject {
        var dimensions: MetricReading.Dimensions
        var traffic: Traffic
    }

    /// From a quarter of a millisecond to a minute, in powers of two of a microsecond: the bounds at which the router
    /// counts, so that every count is exact.
    private static let exponents = 8...26
    /// The name for hosts that no application has; no application can have it.
    private static let unrouted = "-"

    private var applications: [Subject] = []
    private var instances: [Subject] = []
    private var inFlight: [(MetricReading.Dimensions, Double)] = []

    /// - Parameters:
    ///   - counted: by application; those whose name is not known are left out.
    ///   - inFlight: how much of an application is in flight.
    ///   - names: the names of applications.
    init(_ counted: [ApplicationTraffic], inFlight: (String) -> Int, names: ApplicationNames) {
        for entry in counted {
            let isRouted = !entry.application.isEmpty
            guard let name = isRouted ? names.known(entry.application) : Self.unrouted else { continue }
            let dimensions = [("app", name)]
            self.applications.append(Subject(dimensions: dimensions, traffic: entry.all))
            // Of two instances in one place, both.
            let processes = Dictionary(grouping: entry.instances) { InstanceLabel.name(of: $0.key.rawValue) }
            for (process, found) in processes {
                let traffic = found.reduce(into: Traffic()) { $0.add($1.value) }
                self.instances.append(Subject(dimensions: dimensions + [("process", process)], traffic: traffic))
            }
            if isRouted { self.inFlight.append((dimensions, Double(inFlight(entry.application)))) }
        }
    }

    /// The metrics. Those of all requests of an application have the names that every runtime's would have.
    var all: [MetricReading] {
        [
            .gauge(
                "slipway_router_in_flight", help: "Requests and upgraded connections that are in flight.", self.inFlight
            )
        ]
            + Self.requests("slipway", "by application", self.applications)
            + Self.details("slipway_router", "by application", self.applications)
            + Self.requests("slipway_router_instance", "by instance that is there", self.instances)
            + Self.details("slipway_router_instance", "by instance that is there", self.instances)
    }

    private static func requests(_ prefix: String, _ by: String, _ subjects: [Subject]) -> [MetricReading] {
        [
            .counter(
                "\(prefix)_requests",
                help: "Requests that have ended, \(by) and class of status; none: the client had gone.",
                subjects.flatMap { subject in
                    let statuses = subject.traffic.statuses
                    return [
                        ("1xx", statuses.informational), ("2xx", statuses.successful), ("3xx", statuses.redirected),
                        ("4xx", statuses.clientErrors), ("5xx", statuses.serverErrors), ("none", statuses.unanswered),
                    ].map { (subject.dimensions + [("status", $0)], $1) }
                }),
            self.histogram(
                "\(prefix)_request_duration",
                "Time from the end of a request's head to the end of the exchange, \(by).",
                subjects, \.total),
        ]
    }

    private static func details(_ prefix: String, _ by: String, _ subjects: [Subject]) -> [MetricReading] {
        let histograms: [(String, String, KeyPath<Traffic, LatencyHistogram>)] = [
            ("queue_duration", "Time waiting for a place with an instance, of requests that waited", \.queue),
            ("connect_duration", "Time making a connection, of requests that one was made for", \.connect),
            ("first_byte_duration", "Time from sending a request on to the first byte of the answer", \.firstByte),
        ]
        let counters: [(String, String, KeyPath<Traffic, Int>)] = [
            ("received_bytes", "Bytes received from clients", \.requestBytes),
            ("sent_bytes", "Bytes sent to clients", \.responseBytes),
            ("retries", "How often requests were sent again", \.retries),
            ("upgrades", "Connections that became tunnels (WebSockets)", \.upgrades),
            ("ejections", "How often an instance was set aside because requests failed there", \.ejections),
        ]
        return histograms.map { name, help, path in
            self.histogram("\(prefix)_\(name)", "\(help), \(by).", subjects, path)
        }
            + counters.map { name, help, path in
                .counter(
                    "\(prefix)_\(name)", help: "\(help), \(by).",
                    subjects.map { ($0.dimensions, $0.traffic[keyPath: path]) })
            } + [
                .counter(
                    "\(prefix)_errors", help: "The router's own answers and broken exchanges, \(by) and code.",
                    subjects.flatMap { subject in
                        subject.traffic.errors.map { (subject.dimensions + [("code", $0.rawValue)], $1) }
                    })
            ]
    }

    private static func histogram(
        _ label: String, _ help: String, _ subjects: [Subject], _ path: KeyPath<Traffic, LatencyHistogram>
    ) -> MetricReading {
        .histogram(label, help: help, subjects.map { ($0.dimensions, self.distribution($0.traffic[keyPath: path])) })
    }

    private static func distribution(_ histogram: LatencyHistogram) -> MetricReading.Distribution {
        var left = histogram.buckets[...]
        var count = 0
        let buckets = self.exponents.map { exponent in
            let bound = Duration.microseconds(1 << exponent)
            while let next = left.first, next.upperBound <= bound {
                count += next.count
                left.removeFirst()
            }
            return (upperBound: bound, count: count)
        }
        return MetricReading.Distribution(buckets: buckets, count: histogram.count, sum: histogram.sum)
    }
}
