internal import Logging
internal import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension Platform {
    private var storages: FilePath { self.configuration.dataDirectory.appending("storage") }

    /// The directory of an application's in which files stay from one instance, and one release, to the next. It goes with the
    /// application.
    func storage(of applicationID: String) -> FilePath { self.storages.appending(applicationID) }

    /// Makes an application's storage ready for a one-off.
    ///
    /// - Throws: `conflict` while an instance of another user is still ending, which may be writing there.
    func prepareStorage(of plan: LaunchPlan) async throws(PlatformError) {
        let application = plan.release.applicationID
        let others = self.runtime.instances(of: application).filter { $0.user != plan.user && !$0.isOver }
        guard others.isEmpty else {
            throw PlatformError(
                .conflict,
                "\(others.map(\.name).sorted().joined(separator: ", ")) of \(self.names.name(of: application)) still ends as the user that it had before, with its storage; try again when it has"
            )
        }
        try await plan.storage.prepare()
    }

    /// Removes the storage of an application that is no more; what stays of it is tried again at the next start.
    func removeStorage(of applicationID: String) async {
        let path = self.storage(of: applicationID)
        do throws(PlatformError) {
            try await BlockingWork.run { () throws(PlatformError) in
                do {
                    try StorageRemoval.remove(path)
                } catch {
                    throw PlatformError(.internalError, "\(path): \(error)", cause: error)
                }
            }
        } catch {
            self.logger.warning("cannot remove the storage of an application", metadata: ["error": "\(error)"])
        }
    }

    /// Removes what a host that was killed while it destroyed an application has left. What is called otherwise than by the
    /// identifier of one is somebody else's.
    ///
    /// - Parameter known: the applications that there are, and those that still have instances.
    func sweepStorage(except known: Set<String>) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: self.storages.string)) ?? []
        for name in names where !known.contains(name) && UUID(uuidString: name) != nil {
            self.jobs.add { await self.removeStray(name) }
        }
    }

    /// Removes the storage if it is still nobody's: an application may have been made since all were read.
    func removeStray(_ applicationID: String) async {
        do throws(PlatformError) {
            guard try await self.reading({ try $0.application(id: applicationID) }) == nil else { return }
            await self.removeStorage(of: applicationID)
        } catch {
            self.logger.warning("cannot tell whose a storage is", metadata: ["error": "\(error)"])
        }
    }
}
