import Foundation
import Testing

@testable import RouterCore

/// The sockets of this process that belong to a port, as the kernel counts them; listening ones do not.
func openSockets(ports: Set<Int>) -> Int {
    let table = (try? String(contentsOfFile: "/proc/self/net/tcp", encoding: .utf8)) ?? ""
    return table.split(separator: "\n").dropFirst().count { line in
        let columns = line.split(separator: " ")
        guard columns.count > 9, columns[3] != "0A", columns[9] != "0" else { return false }
        return columns[1...2].contains { address in
            ports.contains(Int(address.split(separator: ":").last ?? "", radix: 16) ?? 0)
        }
    }
}

/// The descriptors that this process has open.
func openDescriptors() -> Int {
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
}

/// Waits for what no event tells; false when it has not come true for a long time.
func eventually(_ condition: () -> Bool) async -> Bool {
    let deadline = ContinuousClock.now + .seconds(20)
    while !condition() {
        guard ContinuousClock.now < deadline else { return false }
        try? await Task.sleep(for: .milliseconds(2))
    }
    return true
}

extension Router {
    /// Checks what must be so after anything that instances and clients do: nothing is in flight, a new client is
    /// served, and once the application has gone, so have all sockets.
    ///
    /// - Parameters:
    ///   - port: where the router listens.
    ///   - instances: the ports of the application's instances.
    ///   - request: what the instances answer with 200.
    func expectNothingIsLeft(
        port: Int, instances: [Int], request: String? = "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n",
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        #expect(
            await eventually { self.inFlight(application: "app") == 0 },
            "in flight: \(self.inFlight(application: "app"))",
            sourceLocation: sourceLocation)
        if let request {
            let head = try await onThread {
                let client = try ScriptSocket(port: port)
                defer { client.end() }
                try client.write(request)
                return try client.readMessage().head
            }
            #expect(head.hasPrefix("HTTP/1.1 200 "), "\(head)", sourceLocation: sourceLocation)
        }
        let ids = Set(self.routes.flatMap(\.backends).map(\.id))
        self.removeRoute(application: "app")
        let report = await self.drain(ids, grace: .seconds(20))
        #expect(report == DrainReport(remaining: 0), sourceLocation: sourceLocation)
        let ports = Set(instances + [port])
        #expect(
            await eventually { openSockets(ports: ports) == 0 }, "sockets: \(openSockets(ports: ports))",
            sourceLocation: sourceLocation)
    }

    /// Routes the host `a` to instances on these ports.
    func setPorts(_ ports: [Int], change: (inout ApplicationRoute) -> Void = { _ in }) throws {
        let backends = ports.enumerated().map { index, port in
            Backend(id: BackendID("web.\(index + 1)"), address: .ip(host: "127.0.0.1", port: port))
        }
        var route = ApplicationRoute(application: "app", hosts: ["a"], backends: backends)
        change(&route)
        try self.setRoute(route)
    }
}
