import RouterCore
import Testing

@testable import PlatformKit

@Suite struct TrafficTextTests {
    @Test func `writes applications and instances under their names, and none that is gone`() {
        var traffic = Traffic()
        traffic.requestBytes = 7
        traffic.errors = [.noHealthyInstance: 2]
        let text = TrafficText.make([
            WorkloadTraffic(applicationID: nil, all: traffic, instances: [:], inFlight: 0),
            WorkloadTraffic(applicationID: "id", all: traffic, instances: ["web.1": traffic], inFlight: 3),
            WorkloadTraffic(applicationID: "destroyed", all: traffic, instances: [:], inFlight: 0),
        ]) { $0 == "id" ? "blog" : nil }
        let lines = Set(text.split(separator: "\n").map(String.init))
        for line in [
            #"slipway_router_in_flight{app="blog"} 3"#,
            #"slipway_router_received_bytes_total{app="-"} 7"#,
            #"slipway_router_received_bytes_total{app="blog"} 7"#,
            #"slipway_router_instance_received_bytes_total{app="blog",process="web.1"} 7"#,
            #"slipway_router_errors_total{app="blog",code="no-healthy-instance"} 2"#,
            #"slipway_router_requests_total{app="blog",status="5xx"} 0"#,
            #"slipway_router_request_duration_seconds_bucket{app="blog",le="0.001024"} 0"#,
            #"slipway_router_request_duration_seconds_bucket{app="blog",le="+Inf"} 0"#,
            #"slipway_router_request_duration_seconds_sum{app="blog"} 0.000000"#,
        ] {
            #expect(lines.contains(line), "\(line)")
        }
        #expect(!text.contains("destroyed"))
        // As many as the documentation says, and one for the error; in flight is counted once for an application.
        let blog = lines.filter { $0.contains(#"{app="blog""#) && !$0.contains("process=") }
        #expect(blog.count == TrafficText.seriesPerSubject + 1)
        let instance = lines.filter { $0.contains(#"process="web.1""#) }
        #expect(instance.count == TrafficText.seriesPerSubject)
    }

    @Test func `each family is begun once, before its samples`() {
        let text = TrafficText.make([
            WorkloadTraffic(applicationID: "a", all: Traffic(), instances: ["web.1": Traffic()], inFlight: 0),
            WorkloadTraffic(applicationID: "b", all: Traffic(), instances: [:], inFlight: 0),
        ]) { $0 }
        var begun: Set<Substring> = []
        var current = ""
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if line.hasPrefix("# HELP") {
                #expect(begun.insert(words[2]).inserted)
                current = String(words[2])
            } else {
                #expect(line.hasPrefix("# TYPE \(current) ") || line.hasPrefix(current))
            }
        }
    }
}
