import RouterCore
import RouterCoreTesting
import Testing

@Suite(.timeLimit(.minutes(2))) struct `The promises of probes` {
    private func run(_ check: HealthProbeConformance.Check, _ probe: any HealthProbe) async throws {
        let origin = try await TestOrigin { _ in .bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready") }
        let instance = Backend(id: BackendID("x"), address: .ip(host: "127.0.0.1", port: origin.address.port))
        let result: Result<Void, any Error>
        do {
            result = .success(try await check.run(HealthProbeConformance(probe, passesAt: instance)))
        } catch {
            result = .failure(error)
        }
        await origin.stop()
        try result.get()
    }

    @Test(arguments: HealthProbeConformance.Check.all)
    func `are kept by the one that speaks HTTP`(check: HealthProbeConformance.Check) async throws {
        var probe = HTTPHealthProbe(path: "/health")
        probe.bodyPrefix = "rea"
        try await self.run(check, probe)
    }

    @Test(arguments: HealthProbeConformance.Check.all)
    func `are kept by the one that only connects`(check: HealthProbeConformance.Check) async throws {
        try await self.run(check, TCPHealthProbe())
    }

    /// Passes whatever it finds, and never asks only once.
    private struct Insisting: HealthProbe {
        var path = "/"

        func validate() throws(RouterError) { throw RouterError(.invalidRoute, "It is never right.") }

        func check(_ backend: Backend) async -> HealthReport {
            for _ in 0..<2 { _ = await HTTPHealthProbe(path: self.path).check(backend) }
            return .passed
        }
    }

    @Test func `are found broken where they are`() async throws {
        var broken: [String] = []
        for check in HealthProbeConformance.Check.all {
            do {
                try await self.run(check, Insisting())
            } catch is HealthProbeConformance.Violation {
                broken.append(check.description)
            }
        }
        #expect(
            broken == [
                "it can be used", "where nobody listens, it fails, says why, and remembers nothing", "it asks once",
            ])
    }
}
