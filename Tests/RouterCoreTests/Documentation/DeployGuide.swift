import Foundation
import Logging
import ServiceLifecycle
import SystemPackage
import UnixSignals

@testable import RouterCore

/// The code of the article "Deploy without losing one", so that it compiles. `DocumentationTests` compares the two.
enum DeployGuide {
    static func replace(
        _ router: Router, _ route: ApplicationRoute, _ newBackends: [Backend], _ oldInstances: Set<BackendID>,
        _ logger: Logger
    ) async throws {
        var route = route
        // 1. The new instances are running and can serve. Send requests to them, and no new ones to the old.
        route.backends = newBackends
        try router.setRoute(route)
        // 2. Let what the old ones are working on end.
        let report = await router.drain(oldInstances, grace: .seconds(30))
        // 3. Nothing goes to them any more: stop them.
        if !report.completed { logger.warning("broken off", metadata: ["count": "\(report.remaining)"]) }
    }

    static func probe(_ router: Router, _ route: ApplicationRoute, _ logger: Logger) throws -> ServiceGroup {
        var route = route
        var probe = HTTPHealthProbe(path: "/healthz")
        probe.accepts = [200...299]
        route.probe = ProbeSettings(probe)
        route.slowStart = .seconds(20)
        try router.setRoute(route)
        let monitor = HealthMonitor(router: router, logger: logger)
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: router, successTerminationBehavior: .gracefullyShutdownGroup),
                    .init(service: monitor),
                ],
                gracefulShutdownSignals: [.sigterm], logger: logger))
        return group
    }

    static func hold(
        _ configuration: Router.Configuration, _ logger: Logger,
        _ start: (_ application: String) async throws -> [Backend]
    ) async throws {
        let (waking, starts) = AsyncStream.makeStream(of: String.self)
        let router = Router(
            configuration: configuration, wake: { application in starts.yield(application) }, logger: logger)
        var route = ApplicationRoute(application: "shop", hosts: ["shop.example.com"], backends: [])
        route.hold = HoldPolicy()
        try router.setRoute(route)
        for await application in waking {
            guard var route = router.route(for: application) else { continue }
            route.backends = try await start(application)
            // Whoever waits goes on, in the order in which they came.
            try router.setRoute(route)
        }
    }

    static func canary(_ router: Router, _ route: ApplicationRoute, _ looksGood: () async -> Bool) async throws {
        var route = route
        route.backends = [
            Backend(id: BackendID("web.1@v7"), address: .ip(host: "127.0.0.1", port: 5000), release: "v7"),
            Backend(id: BackendID("web.1@v8"), address: .ip(host: "127.0.0.1", port: 5001), release: "v8"),
        ]
        for percent in [1, 5, 25, 100] {
            route.releases = [ReleaseShare("v7", weight: 100 - percent), ReleaseShare("v8", weight: percent)]
            try router.setRoute(route)
            guard await looksGood() else { break }
        }
    }

    static func maintenance(_ router: Router, _ route: ApplicationRoute) throws {
        var route = route
        route.mode = .maintenance(html: "<h1>Back at noon</h1>")
        try router.setRoute(route)
    }

    static func upgrade(_ logger: Logger, _ loadRoutes: () async throws -> [ApplicationRoute]) async throws {
        var configuration = Router.Configuration(host: "0.0.0.0", port: 80)
        configuration.handover = Router.Handover(path: "/run/shop/router.sock")
        let router = Router(configuration: configuration, logger: logger)
        async let running: Void = router.run()
        for route in try await loadRoutes() { try router.setRoute(route) }
        router.takeOver()
        try await running
    }

    static func inherit(_ configuration: inout Router.Configuration) {
        let environment = ProcessInfo.processInfo.environment
        if environment["LISTEN_PID"] == "\(getpid())", let count = environment["LISTEN_FDS"].flatMap(CInt.init),
            count > 0
        {
            configuration.listeners = (3..<(3 + count)).map { Router.Listener(inherited: $0) }
        }
    }
}
