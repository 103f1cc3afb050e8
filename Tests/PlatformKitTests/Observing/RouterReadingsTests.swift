import MetricsCore
import RouterCore
import Testing

@testable import PlatformKit

@Suite struct `What a router has counted` {
    private func lines(_ counted: [ApplicationTraffic], names: [String: String]) -> [String] {
        let known = ApplicationNames()
        for (id, name) in names { known.set(name, of: id) }
        let readings = RouterReadings(counted, inFlight: { _ in 3 }, names: known).all
        return MetricsRegistry().prometheusText(with: readings).split(separator: "\n").map(String.init)
    }

    private func traffic(_ application: String, instances: [String] = []) -> ApplicationTraffic {
        var traffic = Traffic()
        traffic.requestBytes = 7
        traffic.errors = [.noHealthyInstance: 2]
        var counted = ApplicationTraffic(application: application)
        counted.others = traffic
        for instance in instances { counted.instances[BackendID(instance)] = traffic }
        return counted
    }

    @Test func `is written under the names of applications and instances, and without those that are gone`() {
        let lines = self.lines(
            [
                self.traffic(""), self.traffic("id", instances: ["id/web.1@v1#1", "id/web.1@v2#2"]),
                self.traffic("gone"),
            ],
            names: ["id": "blog"])
        for line in [
            #"slipway_router_in_flight{app="blog"} 3"#,
            #"slipway_router_received_bytes_total{app="-"} 7"#,
            // Of all that there ever were, and by place: of two instances in one, both.
            #"slipway_router_received_bytes_total{app="blog"} 21"#,
            #"slipway_router_instance_received_bytes_total{app="blog",process="web.1"} 14"#,
            #"slipway_router_errors_total{app="blog",code="no-healthy-instance"} 6"#,
            #"slipway_requests_total{app="blog",status="5xx"} 0"#,
            #"slipway_request_duration_seconds_bucket{app="blog",le="0.001024"} 0"#,
            #"slipway_request_duration_seconds_bucket{app="blog",le="+Inf"} 0"#,
            #"slipway_request_duration_seconds_sum{app="blog"} 0"#,
            #"slipway_router_instance_requests_total{app="blog",process="web.1",status="2xx"} 0"#,
        ] {
            #expect(lines.contains(line), "\(line)")
        }
        #expect(!lines.contains { $0.contains(#"app="gone""#) || $0.hasPrefix(#"slipway_router_in_flight{app="-""#) })
    }

    /// As many as the documentation says, and one for each error; in flight is counted for an application only.
    @Test func `has a hundred series for an application and for each of its instances`() {
        let lines = self.lines([self.traffic("id", instances: ["id/web.1@v1#1"])], names: ["id": "blog"])
        let (instance, application) = (
            lines.filter { $0.contains(#"process="web.1""#) },
            lines.filter { $0.contains(#"{app="blog"}"#) || $0.contains(#"{app="blog","#) }
        )
        #expect(instance.count == 100)
        #expect(application.count - instance.count == 101)
    }

    @Test func `is not counted under a second name`() {
        let lines = self.lines([self.traffic("id")], names: ["id": "blog"])
        let families = lines.filter { $0.hasPrefix("# TYPE") && $0.contains("requests_total") }
        #expect(families == ["# TYPE slipway_requests_total counter"])
    }
}
