internal import Logging
internal import PlatformWire
internal import SystemPackage

/// The steps from what is to what should be.
extension ApplicationController {
    /// Takes every step that can be taken now.
    func reconcile() async {
        // Also for a deployment that was cancelled: what it started has to go.
        await shielded {
            _ = try? await self.gate.withTurn { try await self.pass(forcing: []) }
        }
    }

    /// What runs. Whatever was let go counts as stopping from that moment, though its requests may take a while: nothing
    /// may be routed to it again, and its place is free.
    var observed: [WorkloadInstance] {
        self.runtime.instances(of: self.applicationID).map { instance in
            guard self.retiring.contains(instance.id) else { return instance }
            var instance = instance
            instance.phase = .stopping
            return instance
        }
    }

    func pass(forcing forced: [ReconcilePlan.Start]) async throws -> [ReconcilePlan.Start: PlatformError] {
        guard self.isLoaded, !self.isRetired else { return [:] }
        var failures: [ReconcilePlan.Start: PlatformError] = [:]
        var plan = ReconcilePlan(desired: self.desired, observed: self.observed)
        for start in plan.starts + forced.filter({ !plan.starts.contains($0) }) {
            guard !self.isRetired, let launch = self.launchPlans[start.release] else { continue }
            do throws(PlatformError) {
                // Here, where no instance of another user is left: see `ReconcilePlan`.
                try await launch.storage.prepare()
                guard !self.isRetired else { continue }
                _ = try await self.runtime.start(self.request(launch, start.slot))
            } catch {
                failures[start] = error
                self.logger.warning(
                    "cannot start an instance",
                    metadata: [
                        "application.id": "\(self.applicationID)", "instance": "\(start.slot)", "error": "\(error)",
                    ])
            }
        }
        guard !self.isRetired else { return failures }
        plan = ReconcilePlan(desired: self.desired, observed: self.observed)
        if self.setRoute(plan) { self.letGo(plan.retired) }
        self.retryLater(after: failures)
        return failures
    }

    /// Of the live release alone: whoever brings up another is told of the failure, and decides.
    private func retryLater(after failures: [ReconcilePlan.Start: PlatformError]) {
        let hasFailed = failures.keys.contains { $0.release == self.desired.live?.release }
        guard let delay = self.retry.step(hasFailed: hasFailed) else { return }
        self.jobs.add {
            guard (try? await self.clock.sleep(for: delay)) != nil else { return }
            await self.retryNow()
        }
    }

    private func retryNow() async {
        self.retry.end()
        await self.reconcile()
    }

    /// The routes have left these; now their requests may finish, and then they end.
    private func letGo(_ ids: [String]) {
        let ids = ids.filter { self.retiring.insert($0).inserted }
        guard !ids.isEmpty else { return }
        self.end(ids)
    }

    @discardableResult
    func end(_ ids: [String], then: @escaping @Sendable () -> Void = {}) -> Bool {
        self.jobs.add {
            defer { then() }
            await self.runtime.drain(ids, grace: self.settings.drainGrace)
            await withDiscardingTaskGroup { group in
                for id in ids { group.addTask { await self.runtime.stop(id) } }
            }
            await self.forget(ids)
            // What could not be started beside it can be now.
            await self.reconcile()
        }
    }

    private func forget(_ ids: [String]) { self.retiring.subtract(ids) }

    private func request(_ plan: LaunchPlan, _ slot: Slot) -> WorkloadRequest {
        let highest = self.runtime.instances(of: self.applicationID).map(\.serial).max() ?? 0
        self.lastSerial = max(self.lastSerial, highest) + 1
        let isWeb = slot.processType == "web"
        var life = plan.release.life[slot.processType] ?? LifeRecord()
        if isWeb, life.readiness == nil { life.readiness = CheckRecord(.listening) }
        return WorkloadRequest(
            applicationID: self.applicationID, processType: slot.processType, number: slot.number,
            release: plan.release.version, serial: self.lastSerial, slug: plan.release.slug,
            command: .shell(plan.release.processTypes[slot.processType] ?? ""),
            environment: plan.environment.merging(["SLIPWAY_PROCESS": slot.description]) { $1 },
            life: life, needsPort: isWeb || life.asksPort,
            stopGrace: life.stopGraceSeconds.map { .seconds($0) } ?? self.settings.stopGrace,
            size: plan.sizes[slot.processType] ?? .unlimited, user: plan.user,
            storage: plan.storage.path.string)
    }
}
