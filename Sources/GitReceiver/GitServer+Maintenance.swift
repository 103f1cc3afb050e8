import Logging

extension GitServer {
    /// Tidies up one repository: makes one pack of many, removes what no reference has reached for longer than
    /// ``Configuration/Maintenance-swift.struct/grace``, packs references, sweeps what dead processes left.
    ///
    /// Pushes and fetches go on meanwhile; a push waits only while files are exchanged. The work is done on a thread of
    /// low priority. If the process is killed at any point, the repository is complete and the next run goes on.
    /// Cancelling the task stops it, as long as nothing was exchanged.
    ///
    /// - Throws: ``GitReceiverError/Code/busy`` if the repository is being maintained already or its references never
    ///   stand still; ``GitReceiverError/Code/limitExceeded`` or ``GitReceiverError/Code/deadlineExceeded`` for one that
    ///   is too large; ``GitReceiverError/Code/corrupt`` if an object is missing or damaged. Nothing has changed then.
    @discardableResult
    public func maintain(_ name: String) async throws(GitReceiverError) -> MaintenanceReport {
        let name = try RepositoryName(name)
        self.core.maintenance.begin(name)
        let report = try await self.core.maintain(name)
        self.core.maintenance.end(name, failed: false)
        return report
    }

    /// Maintains repositories, one at a time, whenever pushes have given one more than
    /// ``Configuration/Maintenance-swift.struct/packs`` packs. Run it once, beside the HTTP server; it returns when its task is
    /// cancelled. Failures are logged, and a later push asks again: the next one after the first failure, after two pushes, four
    /// and so on if it fails again, so that a repository which fails every time does not take the others' turns.
    public func runMaintenance() async {
        for await name in self.core.maintenance.names {
            self.core.maintenance.begin(name)
            do throws(GitReceiverError) {
                let report = try await self.core.maintain(name)
                self.core.maintenance.end(name, failed: false)
                self.core.logger.info(
                    "repository maintained", metadata: ["git.repository": "\(name.text)", "report": "\(report)"])
            } catch {
                self.core.maintenance.end(name, failed: ![.busy, .cancelled, .notFound].contains(error.code))
                self.core.logger.info(
                    "repository not maintained",
                    metadata: ["git.repository": "\(name.text)", "error": "\(error.cause ?? error)"])
            }
        }
    }
}
