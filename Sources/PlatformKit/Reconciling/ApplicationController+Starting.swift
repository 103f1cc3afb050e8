internal import PlatformWire

/// New instances, from their start until they are up, or have failed and are let go again.
extension ApplicationController {
    @discardableResult
    func bringUp(
        _ target: Target, slots: Set<Slot>, replacing: Bool = false, progress: Progress
    ) async throws -> [WorkloadInstance] {
        guard !slots.isEmpty else {
            await self.reconcile()
            return []
        }
        let forced = replacing ? slots.map { ReconcilePlan.Start(release: target.release, slot: $0) } : []
        let before = max(self.lastSerial, self.observed.map(\.serial).max() ?? 0)
        let failures = try await self.gate.withTurn { try await self.pass(forcing: forced) }
        if let failure = failures.first(where: { $0.key.release == target.release && slots.contains($0.key.slot) }) {
            await self.stopNewest(of: target, in: replacing ? slots : [], after: before)
            throw failure.value
        }
        let pending = slots.sorted().compactMap { self.newestInstance(of: target.release, in: $0) }
        await progress("Starting \(pending.map(\.name).joined(separator: ", "))")
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for instance in pending {
                    group.addTask { try await self.waitUntilUp(instance) }
                }
                try await group.waitForAll()
            }
            try self.checkThatAllAreReady(pending)
        } catch {
            await self.stopNewest(of: target, in: replacing ? slots : [], after: before)
            throw error
        }
        return pending
    }

    /// One that was ready may have ended while the others still started.
    func checkThatAllAreReady(_ instances: [WorkloadInstance]) throws(PlatformError) {
        let present = Dictionary(self.observed.map { ($0.id, $0) }) { first, _ in first }
        for instance in instances where present[instance.id]?.phase != .ready {
            let now = present[instance.id]
            throw PlatformError(
                .refused,
                "\(instance.name) was ready, and is not any more (\(now?.lastExit ?? now?.lastProbe ?? "it was stopped"))"
            )
        }
    }

    private func waitUntilUp(_ instance: WorkloadInstance) async throws {
        do throws(PlatformError) {
            try await self.runtime.waitUntilReady(instance.id)
        } catch {
            throw PlatformError(
                error.code, "\(instance.name) \(error.message)", details: error.details, cause: error.cause)
        }
        guard instance.processType != "web" else { return }
        // Without a check, "ready" only says that the process exists: give it the time to fail at once.
        try await self.clock.sleep(for: self.settings.settleTime)
        guard let now = self.runtime.instances(of: self.applicationID).first(where: { $0.id == instance.id }),
            now.phase != .ready || now.restarts > instance.restarts
        else { return }
        throw PlatformError(
            .refused, "\(instance.name) ended right after its start (\(now.lastExit ?? "exit unknown"))")
    }

    /// Lets go of those that were started after that serial and are not ready; what stood there before is left alone.
    private func stopNewest(of target: Target, in slots: Set<Slot>, after serial: Int) async {
        let ids = slots.compactMap { self.newestInstance(of: target.release, in: $0) }
            .filter { $0.phase != .ready && $0.serial > serial && self.retiring.insert($0.id).inserted }.map(\.id)
        guard !ids.isEmpty else { return }
        // One of them may have been ready for a moment: the routes leave it first.
        await self.reconcile()
        self.end(ids)
    }

    func newestInstance(of release: Int, in slot: Slot) -> WorkloadInstance? {
        self.observed.filter {
            $0.release == release && $0.processType == slot.processType && $0.number == slot.number
                && $0.phase != .stopping
        }.max { $0.serial < $1.serial }
    }
}
