internal import Logging

/// What a route leads to.
struct RoutedProcess: Equatable {
    var id: String
    var host: String?
    var port: Int?
    var restarts: Int

    init(_ instance: WorkloadInstance) {
        self.id = instance.id
        self.host = instance.host
        self.port = instance.port
        self.restarts = instance.restarts
    }
}

/// Where requests go, and whether they wait.
extension ApplicationController {
    func setFirstRoute() {
        guard !self.isRetired else { return }
        self.setRoute(ReconcilePlan(desired: self.desired, observed: self.observed))
    }

    /// Leads requests to where the plan says; false when that failed.
    @discardableResult
    func setRoute(_ plan: ReconcilePlan) -> Bool {
        var route = WorkloadRoute(
            applicationID: self.applicationID, hosts: self.routeSettings.hosts, instances: plan.routed,
            maintenance: self.routeSettings.maintenance)
        route.https = self.routeSettings.https
        if self.isHolding(plan) { route.hold = self.settings.startHold }
        let routed = Set(plan.routed)
        let processes = self.observed.filter { routed.contains($0.id) }.map(RoutedProcess.init).sorted { $0.id < $1.id }
        guard route != self.currentRoute || processes != self.routedProcesses else { return true }
        do throws(PlatformError) {
            try self.runtime.setRoute(route)
            self.currentRoute = route
            self.routedProcesses = processes
            return true
        } catch {
            self.logger.error(
                "cannot set a route", metadata: ["application.id": "\(self.applicationID)", "error": "\(error)"])
            return false
        }
    }

    /// Whether requests wait when there is no instance for them.
    private func isHolding(_ plan: ReconcilePlan) -> Bool {
        guard self.settings.startHold > .zero else { return false }
        let (isHolding, timer) = self.hold.step(isServed: plan.isServed, isReady: !plan.routed.isEmpty)
        if let timer {
            self.jobs.add {
                guard (try? await self.clock.sleep(for: self.settings.startHold)) != nil else { return }
                await self.holdEnded(timer)
            }
        }
        return isHolding
    }

    private func holdEnded(_ timer: Int) async {
        guard self.hold.end(timer) else { return }
        await self.reconcile()
    }
}
