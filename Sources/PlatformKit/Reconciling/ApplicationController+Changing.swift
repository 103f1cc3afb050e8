internal import PlatformWire

/// Changes of what should be, each until it is so: another release, other numbers, other instances.
extension ApplicationController {
    /// Brings up a release beside the live one, and makes it the live one once every instance is ready.
    ///
    /// - Parameter promote: records the switch; when it throws, nothing was switched.
    /// - Throws: `refused` with the cause. The release that was live goes on as if nothing had happened.
    func rollOut(
        _ plan: LaunchPlan, formation: [String: Int], progress: Progress,
        promote: @Sendable () async throws -> Void
    ) async throws {
        let target = Self.target(plan.release, formation: formation)
        self.launchPlans[plan.release.version] = plan
        self.desired.user = plan.user
        self.desired.candidate = target
        do {
            try await self.makeRoomForUser(progress: progress)
            let alone = target.slots.filter { self.desired.singletons.contains($0.processType) }
            let others = try await self.bringUp(target, slots: target.slots.subtracting(alone), progress: progress)
            if !alone.isEmpty {
                // Last, because the live release has none from here on: what can fail before it has.
                self.desired.yielding = Set(alone.map(\.processType))
                try await self.makeRoom(for: self.desired.yielding, progress: progress)
                try await self.bringUp(target, slots: alone, progress: progress)
                try self.checkThatAllAreReady(others)
            }
            try Task.checkCancellation()
            try await promote()
        } catch {
            self.desired.candidate = nil
            self.desired.yielding = []
            await self.reconcile()
            self.launchPlans[plan.release.version] = nil
            throw error
        }
        self.desired.live = target
        self.desired.candidate = nil
        self.desired.yielding = []
        await self.reconcile()
        self.launchPlans = self.launchPlans.filter { $0.key == plan.release.version }
    }

    /// Starts another instance in each of these places and lets go of the old one when the new one is ready; of a
    /// singleton, before the new one is started.
    func replace(matching: @Sendable (Slot) -> Bool, progress: Progress) async throws -> Bool {
        guard let live = self.desired.live else { return false }
        let slots = live.slots.filter(matching)
        guard !slots.isEmpty else { return false }
        try await self.makeRoomForUser(progress: progress)
        let alone = slots.filter { live.singletons.contains($0.processType) }
        if alone.count < slots.count { try await self.replace(slots.subtracting(alone), of: live, progress) }
        if !alone.isEmpty {
            try await self.makeRoom(for: Set(alone.map(\.processType)), progress: progress)
            try await self.bringUp(live, slots: alone, progress: progress)
        }
        return true
    }

    private func replace(_ slots: Set<Slot>, of live: Target, _ progress: Progress) async throws {
        self.desired.replacing.formUnion(slots)
        do {
            try await self.bringUp(live, slots: slots, replacing: true, progress: progress)
        } catch {
            self.desired.replacing.subtract(slots)
            await self.reconcile()
            throw error
        }
        self.desired.replacing.subtract(slots)
        await self.reconcile()
    }

    /// Changes the numbers of instances and waits until the new ones are ready.
    func scale(to formation: [String: Int], progress: Progress) async throws {
        guard let live = self.desired.live, let plan = self.launchPlans[live.release] else { return }
        let target = Self.target(plan.release, formation: formation)
        self.desired.live = target
        let added = target.slots.subtracting(live.slots)
        try await self.makeRoomForUser(progress: progress)
        // One that was scaled down a moment ago may still be ending.
        try await self.makeRoom(for: target.singletons.intersection(added.map(\.processType)), progress: progress)
        try await self.bringUp(target, slots: added, progress: progress)
    }

    /// Ends what there is of these process types, and returns when it has ended: however long its grace is, and unless the
    /// task is cancelled.
    private func makeRoom(for types: Set<String>, progress: Progress) async throws {
        try await self.makeRoom(instead: self.observed.filter { types.contains($0.processType) }, progress: progress)
    }

    /// Returns when no instance of a user that the application had before is left: for a release command, which has the storage
    /// as the instances have it.
    func makeRoom(for user: UInt32?, progress: Progress) async throws {
        self.desired.user = user
        try await self.makeRoomForUser(progress: progress)
    }

    /// The same of instances of a user that the application had before: nothing is started beside them (see ``ReconcilePlan``).
    private func makeRoomForUser(progress: Progress) async throws {
        let others = self.observed.filter { $0.user != self.desired.user && !$0.isOver }
        try await self.makeRoom(instead: others, progress: progress)
    }

    private func makeRoom(instead old: [WorkloadInstance], progress: Progress) async throws {
        guard !old.isEmpty else { return }
        self.retiring.formUnion(old.map(\.id))
        await progress("Stopping \(old.map(\.name).joined(separator: ", ")), before another is started")
        // The routes leave them first.
        await self.reconcile()
        let (ended, end) = AsyncStream<Never>.makeStream()
        if !self.end(old.map(\.id), then: { end.finish() }) { throw CancellationError() }
        for await _ in ended {}
        try Task.checkCancellation()
    }

    /// Returns when every instance of the live release is ready, has failed, or the task is cancelled.
    func waitUntilSettled() async {
        guard let live = self.desired.live else { return }
        try? await self.makeRoomForUser { _ in }
        let pending = live.slots.compactMap { self.newestInstance(of: live.release, in: $0) }.filter {
            $0.phase != .ready
        }
        await withDiscardingTaskGroup { group in
            for instance in pending { group.addTask { try? await self.runtime.waitUntilReady(instance.id) } }
        }
        await self.reconcile()
    }
}
