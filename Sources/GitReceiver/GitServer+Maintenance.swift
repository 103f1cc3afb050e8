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
        return try await self.core.maintain(name)
    }

    /// Maintains repositories, one at a time, whenever pushes have given one more than
    /// ``Configuration/Maintenance-swift.struct/packs`` packs. Run it once, beside the HTTP server; it returns when its task is
    /// cancelled. Failures are logged: the next push asks again.
    public func runMaintenance() async {
        for await name in self.core.maintenance.names {
            self.core.maintenance.begin(name)
            do throws(GitReceiverError) {
                let report = try await self.core.maintain(name)
                self.core.logger.info(
                    "repository maintained", metadata: ["git.repository": "\(name.text)", "report": "\(report)"])
            } catch {
                self.core.logger.info(
                    "repository not maintained",
                    metadata: ["git.repository": "\(name.text)", "error": "\(error.cause ?? error)"])
            }
        }
    }
}
