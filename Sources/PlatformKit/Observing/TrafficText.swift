internal import RouterCore

/// What went through the router, in the Prometheus text format.
///
/// The series of an application only grow. Those of an instance (`slipway_router_instance_…`) begin anew when another one
/// takes its place, and end with it, so that there are never more than those of the instances that are there. An
/// application has at most ``seriesPerSubject`` series and one for each code of an error (``RouterErrorCode``, a fixed set);
/// each of its instances has as many.
struct TrafficText {
    /// Those of four histograms, and the counters.
    static var seriesPerSubject: Int { 4 * (Self.boundCount + 3) + 6 + 6 }
    private static var boundCount: Int { Self.exponents.count }
    /// From a quarter of a millisecond to a minute, in powers of two of a microsecond: the bounds at which the router
    /// counts, so that every count is exact.
    private static let exponents = 8...26

    private struct Subject {
        var labels: String
        var traffic: Traffic
    }

    private var text = ""

    /// - Parameters:
    ///   - name: the name of an application; `nil` for one that there is not any more, which is left out.
    static func make(_ traffic: [WorkloadTraffic], name: (String) -> String?) -> String {
        var applications: [Subject] = []
        var instances: [Subject] = []
        var inFlight: [(String, Int)] = []
        for entry in traffic {
            // No application can have that name.
            guard let name = entry.applicationID.map(name) ?? "-" else { continue }
            let labels = "app=\"\(Self.escaped(name))\""
            applications.append(Subject(labels: labels, traffic: entry.all))
            for (process, traffic) in entry.instances.sorted(by: { $0.key < $1.key }) {
                instances.append(
                    Subject(labels: labels + ",process=\"\(Self.escaped(process))\"", traffic: traffic))
            }
            if entry.applicationID != nil { inFlight.append((labels, entry.inFlight)) }
        }
        var writer = TrafficText()
        writer.begin("slipway_router_in_flight", "gauge", "Requests and upgraded connections that are in flight.")
        for (labels, count) in inFlight { writer.sample("slipway_router_in_flight", labels, "\(count)") }
        writer.write(applications, "slipway_router", "by application")
        writer.write(instances, "slipway_router_instance", "by instance that is there")
        return writer.text
    }

    private mutating func write(_ subjects: [Subject], _ prefix: String, _ by: String) {
        let requests = "\(prefix)_requests_total"
        self.begin(
            requests, "counter", "Requests that have ended, \(by) and class of status; none: the client had gone.")
        for subject in subjects {
            let statuses = subject.traffic.statuses
            for (status, count) in [
                ("1xx", statuses.informational), ("2xx", statuses.successful), ("3xx", statuses.redirected),
                ("4xx", statuses.clientErrors), ("5xx", statuses.serverErrors), ("none", statuses.unanswered),
            ] {
                self.sample(requests, "\(subject.labels),status=\"\(status)\"", "\(count)")
            }
        }
        let histograms: [(String, String, KeyPath<Traffic, LatencyHistogram>)] = [
            ("request_duration", "Time from the end of a request's head to the end of the exchange", \.total),
            ("queue_duration", "Thereof waiting for a place with an instance, of requests that waited", \.queue),
            ("connect_duration", "Thereof making a connection, of requests that one was made for", \.connect),
            ("first_byte_duration", "Time from sending a request on to the first byte of the answer", \.firstByte),
        ]
        for (name, help, path) in histograms {
            let metric = "\(prefix)_\(name)_seconds"
            self.begin(metric, "histogram", "\(help), \(by).")
            for subject in subjects { self.histogram(metric, subject.labels, subject.traffic[keyPath: path]) }
        }
        let counters: [(String, String, KeyPath<Traffic, Int>)] = [
            ("received_bytes", "Bytes received from clients", \.requestBytes),
            ("sent_bytes", "Bytes sent to clients", \.responseBytes),
            ("retries", "How often requests were sent again", \.retries),
            ("upgrades", "Connections that became tunnels (WebSockets)", \.upgrades),
            ("ejections", "How often an instance was set aside because requests failed there", \.ejections),
        ]
        for (name, help, path) in counters {
            let metric = "\(prefix)_\(name)_total"
            self.begin(metric, "counter", "\(help), \(by).")
            for subject in subjects { self.sample(metric, subject.labels, "\(subject.traffic[keyPath: path])") }
        }
        let errors = "\(prefix)_errors_total"
        self.begin(errors, "counter", "The router's own answers and broken exchanges, \(by) and code.")
        for subject in subjects {
            for (code, count) in subject.traffic.errors.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                self.sample(errors, "\(subject.labels),code=\"\(Self.escaped(code.rawValue))\"", "\(count)")
            }
        }
    }

    private mutating func histogram(_ metric: String, _ labels: String, _ histogram: LatencyHistogram) {
        var buckets = histogram.buckets[...]
        var count = 0
        for exponent in Self.exponents {
            let bound = Duration.microseconds(1 << exponent)
            while let next = buckets.first, next.upperBound <= bound {
                count += next.count
                buckets.removeFirst()
            }
            self.sample("\(metric)_bucket", "\(labels),le=\"\(Self.seconds(bound))\"", "\(count)")
        }
        self.sample("\(metric)_bucket", "\(labels),le=\"+Inf\"", "\(histogram.count)")
        self.sample("\(metric)_sum", labels, Self.seconds(histogram.sum))
        self.sample("\(metric)_count", labels, "\(histogram.count)")
    }

    private mutating func begin(_ metric: String, _ type: String, _ help: String) {
        self.text += "# HELP \(metric) \(help)\n# TYPE \(metric) \(type)\n"
    }

    private mutating func sample(_ metric: String, _ labels: String, _ value: String) {
        self.text += "\(metric){\(labels)} \(value)\n"
    }

    /// To the microsecond.
    private static func seconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let micros = "\(attoseconds / 1_000_000_000_000)"
        let digits = String(repeating: "0", count: 6 - micros.utf8.count) + micros
        return "\(seconds).\(digits)"
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
