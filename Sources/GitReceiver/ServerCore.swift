import CLibgit2
import Logging
import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What the services of a server share.
final class ServerCore: Sendable {
    let configuration: GitServer.Configuration
    let library: Libgit2Library
    let handler: any PushHandler
    let logger: Logger
    let pool: BlockingPool
    let queue: PushQueue
    /// Places for fetches, and for packs that are received.
    let fetches: Gate
    let packs: Gate
    /// Packs that are open for clients.
    let openFiles: Budget
    /// Objects of packs that are sent while they are made.
    let plannedObjects: Budget
    /// Objects of packs that are received.
    let receivedObjects: Budget
    let repositories: RepositoryStore
    let maintenance: MaintenanceQueue

    init(
        configuration: GitServer.Configuration, library: Libgit2Library, handler: any PushHandler, logger: Logger
    ) {
        self.configuration = configuration
        self.library = library
        self.handler = handler
        self.logger = logger
        self.pool = BlockingPool(width: configuration.threads, queueLimit: configuration.limits.queuedCalls)
        self.queue = PushQueue(
            limit: configuration.limits.waitingPushes, patience: configuration.pushWait, clock: configuration.clock)
        let limits = configuration.limits
        self.fetches = Gate(
            limits.fetches, waiting: limits.waitingFetches, patience: limits.placeWait, clock: configuration.clock,
            what: "fetches")
        self.packs = Gate(
            limits.pushes, waiting: limits.waitingPacks, patience: limits.placeWait, clock: configuration.clock,
            what: "pushes")
        self.openFiles = Budget(limits.fetchFiles)
        self.plannedObjects = Budget(limits.fetchPlannedObjects)
        self.receivedObjects = Budget(limits.receivedObjects)
        self.maintenance = MaintenanceQueue(limit: configuration.maintenance.waiting)
        self.repositories = RepositoryStore(
            root: configuration.root, defaultBranch: configuration.defaultBranch, logger: logger)
    }

    func makeID() -> String { UUID().uuidString.lowercased() }

    func export(
        _ name: RepositoryName, quarantine: FilePath?, commit: String, to directory: FilePath
    ) async throws(GitReceiverError) -> ExportReport {
        let oid = try Self.parse(commit)
        return try await self.pool.run { flag throws(GitReceiverError) in
            let path = try self.repositories.path(of: name)
            let repository = try Repository(bareAt: path, quarantine: quarantine)
            let tree = try repository.rootTree(of: oid)
            var attributes: ExportAttributes?
            if self.configuration.honoursExportIgnore {
                attributes = ExportAttributes(repository, commit: try repository.peel(oid, to: GIT_OBJECT_COMMIT))
            }
            var export = TreeExport(
                objects: try repository.objects(), attributes: attributes, limits: self.configuration.limits, flag: flag
            )
            return try export.write(tree, to: directory)
        }
    }

    func commitInfo(
        _ name: RepositoryName, quarantine: FilePath?, commit: String
    ) async throws(GitReceiverError) -> CommitInfo {
        let oid = try Self.parse(commit)
        return try await self.pool.run { _ throws(GitReceiverError) in
            let repository = try Repository(bareAt: try self.repositories.path(of: name), quarantine: quarantine)
            return try repository.commitInfo(oid)
        }
    }

    private static func parse(_ text: String) throws(GitReceiverError) -> ObjectID {
        guard let oid = ObjectID(text.lowercased()) else {
            throw GitReceiverError(.malformed, "A commit is named by 40 hexadecimal digits.")
        }
        return oid
    }
}

extension Repository {
    /// Who wrote a commit, when, and its subject. Text that is not UTF-8 is repaired.
    func commitInfo(_ oid: ObjectID) throws(GitReceiverError) -> CommitInfo {
        let peeled = try self.peel(oid, to: GIT_OBJECT_COMMIT)
        var commit: OpaquePointer?
        var raw = peeled.git
        try check(git_commit_lookup(&commit, self.pointer, &raw), "The repository has no commit \(oid.short).")
        defer { git_commit_free(commit) }
        func text(_ pointer: UnsafePointer<CChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }
        let author = git_commit_author(commit)?.pointee
        return CommitInfo(
            oid: peeled.description, author: text(author?.name), email: text(author?.email),
            subject: text(git_commit_summary(commit)),
            date: Date(timeIntervalSince1970: Double(git_commit_time(commit))))
    }
}
