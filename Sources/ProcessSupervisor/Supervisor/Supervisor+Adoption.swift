import Logging
import SystemPackage

extension Supervisor {
    /// Finds what a former host left. One broken record, or one process that cannot be taken over, stops no other.
    func adoptAll() async throws(SupervisorError) {
        let records = self.surroundings.records
        try records.prepare()
        let found = try records.load()
        for (name, reason) in found.unreadable {
            self.surroundings.logger.error(
                "an instance's record cannot be read, and is left alone",
                metadata: ["record": "\(name)", "error": "\(reason)"])
        }
        if found.unreadable.isEmpty {
            // Before anything is started again: whatever is there now and not on record has no owner any more.
            await self.surroundings.launcher.endLeftovers(except: Set(found.records.map(\.startID)))
        }
        await withDiscardingTaskGroup { group in
            for record in found.records {
                group.addTask { await self.adopt(record) }
            }
        }
    }

    private func adopt(_ record: InstanceRecord) async {
        let id = record.spec.id
        do throws(SupervisorError) {
            let process = try await self.surroundings.launcher.adopt(record)
            if record.isOneOff {
                // Nobody waits for its end any more.
                await process?.handle.killTree()
                process?.handle.release()
                self.surroundings.records.remove(id)
                return
            }
            if process == nil, record.phase == .stopping {
                self.surroundings.records.remove(id)
                return
            }
            let driver = self.driver(of: record.spec)
            try self.add(driver, opening: .adopt(record, process))
            _ = try? await driver.opened.value()
        } catch {
            self.surroundings.logger.error(
                "cannot take over an instance", metadata: ["instance": "\(id)", "error": "\(error)"])
        }
    }
}
