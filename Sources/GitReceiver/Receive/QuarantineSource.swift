import Synchronization
import SystemPackage

/// Lets a handler read the objects of its push for as long as it decides.
final class QuarantineSource: PushSource {
    let session: PushSession
    /// The quarantine, if the push brought objects.
    private let pack: FilePath?
    private let isOpen = Mutex(true)

    init(session: PushSession, pack: FilePath?) {
        self.session = session
        self.pack = pack
    }

    func close() { self.isOpen.withLock { $0 = false } }

    func export(commit: String, to directory: FilePath) async throws(GitReceiverError) -> ExportReport {
        try self.requireOpen()
        return try await self.session.core.export(
            self.session.name, quarantine: self.pack, commit: commit, to: directory)
    }

    func commitInfo(_ oid: String) async throws(GitReceiverError) -> CommitInfo {
        try self.requireOpen()
        return try await self.session.core.commitInfo(
            self.session.name, quarantine: self.pack, commit: oid)
    }

    private func requireOpen() throws(GitReceiverError) {
        guard self.isOpen.withLock({ $0 }) else {
            throw GitReceiverError(.refused, "The push is over; its objects can only be read while its handler runs.")
        }
    }
}
