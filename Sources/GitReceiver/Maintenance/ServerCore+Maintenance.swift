import Logging
import SystemPackage

extension ServerCore {
    /// Maintains one repository: the long part on a thread of low priority, the short one in the turn of a push.
    ///
    /// - Parameter at: Called between the steps, for tests.
    func maintain(
        _ name: RepositoryName,
        at: @escaping @Sendable (Maintenance.Step) throws(GitReceiverError) -> Void = {
            (_) throws(GitReceiverError) in
        }
    ) async throws(GitReceiverError) -> MaintenanceReport {
        let path = try await self.pool.run { _ throws(GitReceiverError) in try self.repositories.path(of: name) }
        let lock = try await self.pool.run { _ throws(GitReceiverError) in
            try HeldLock(path.appending("maintenance.lock"))
        }
        guard let lock else {
            throw GitReceiverError(.busy, "The repository \(name.text) is being maintained already.")
        }
        defer { withExtendedLifetime(lock) {} }
        let swept = try await self.pool.run { _ throws(GitReceiverError) in
            try self.repositories.sweep(path, name: name)
        }
        // References that move faster than packs are written: what is to be removed has to wait.
        for _ in 0..<3 {
            var plan = try await BackgroundThread.run { flag throws(GitReceiverError) in
                try Maintenance(core: self, name: name, path: path, flag: flag, at: at).prepare()
            }
            plan.report.leftovers += swept
            if let report = try await self.replace(plan, name, path, at) { return report }
        }
        throw GitReceiverError(
            .busy, "The references of \(name.text) changed all the time while it was maintained; try again later.")
    }

    /// Nil if references have moved meanwhile.
    private func replace(
        _ plan: Maintenance.Plan, _ name: RepositoryName, _ path: FilePath,
        _ at: @escaping @Sendable (Maintenance.Step) throws(GitReceiverError) -> Void
    ) async throws(GitReceiverError) -> MaintenanceReport? {
        let (clock, patience) = (self.configuration.clock, self.configuration.maintenance.patience)
        return try await self.inTurn(name) { () throws(GitReceiverError) -> MaintenanceReport? in
            let installed = try await self.pool.run { flag throws(GitReceiverError) -> Maintenance.Plan? in
                var next = plan
                let maintenance = Maintenance(core: self, name: name, path: path, flag: flag, at: at)
                return try maintenance.install(&next) ? next : nil
            }
            guard var current = installed else { return nil }
            let stopwatch = Stopwatch(clock)
            while true {
                let before = current
                let (next, isDone) = try await self.pool.run { flag throws(GitReceiverError) in
                    var next = before
                    let maintenance = Maintenance(core: self, name: name, path: path, flag: flag, at: at)
                    let isDone = try maintenance.removeOld(&next)
                    return (next, isDone)
                }
                current = next
                if isDone { break }
                guard stopwatch.elapsed() < patience, (try? await clock.sleep(for: .milliseconds(50))) != nil else {
                    current.report.notes.append("the old packs are being read and were not removed")
                    break
                }
            }
            let last = current
            return try await self.pool.run { flag throws(GitReceiverError) in
                try Maintenance(core: self, name: name, path: path, flag: flag, at: at).finish(last)
            }
        }
    }

    /// Runs `work` when no push is judged.
    func inTurn<R: Sendable>(
        _ name: RepositoryName, _ work: () async throws(GitReceiverError) -> R
    ) async throws(GitReceiverError) -> R {
        do {
            return try await self.queue.withTurn(name) { try await work() }
        } catch let error as GitReceiverError {
            throw error
        } catch {
            throw GitReceiverError(.cancelled, "The operation was cancelled.", cause: error)
        }
    }
}
