internal import GitReceiver
internal import Logging
internal import MetricsCore
public import PlatformWire
internal import Synchronization
internal import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension Platform {
    /// Builds a source, makes a release of it and rolls it out. Returns when it is live.
    ///
    /// - Throws: `refused` with the cause, `cancelled` when the task is cancelled, `output` throws, or a newer
    ///   deployment took its place.
    public func deploy(
        _ source: DeploymentSource, to name: String, by principal: Principal, output: any ProgressOutput
    ) async throws(PlatformError) -> DeploymentInfo {
        try await self.withDeployment(
            of: name, description: source.description, commit: source.commit, by: principal, carriesSource: true,
            action: "deploy", output: output
        ) { run in
            _ = try await run.release(try await run.build(source))
        }
    }

    /// Makes a release of a former release's slug and config, and rolls it out. Nothing is built, and no release
    /// command runs. Without a version it is the one that was live before this one.
    public func rollback(
        _ name: String, to version: Int?, by principal: Principal, output: any ProgressOutput
    ) async throws(PlatformError) -> ReleaseInfo {
        let application = try await self.find(name)
        let target = try await self.rollbackTarget(of: application, version: version).version
        let info = try await self.withDeployment(
            of: name, description: "rollback to v\(target)", commit: nil, by: principal, carriesSource: false,
            action: "rollback", output: output
        ) { run in
            let former = try await self.rollbackTarget(of: run.application, version: target)
            try await run.keepSlug(of: former)
            let config = try self.sealer.open(former.sealedConfig, for: run.application.id)
            _ = try await run.release(
                ReleaseDraft(
                    slug: former.slug, commit: former.commit, description: "Rollback to v\(former.version)",
                    processTypes: former.processTypes, releaseCommand: former.releaseCommand,
                    life: former.life, config: config, runsReleaseCommand: false))
        }
        return try await self.release(info.release ?? 0, of: try await self.current(application).name)
    }

    private func rollbackTarget(
        of application: ApplicationRecord, version: Int?
    ) async throws(PlatformError) -> ReleaseRecord {
        guard let live = application.liveRelease else {
            throw PlatformError(.conflict, "\(application.name) has no release yet; deploy something first")
        }
        if let version {
            guard let release = try await self.reading({ try $0.release(version, of: application.id) }) else {
                throw PlatformError(.notFound, "\(application.name) has no release v\(version)")
            }
            try await self.requireSlug(of: release)
            return release
        }
        // The releases that went live: a failed one is no place to go back to.
        let candidates = try await self.reading { records in
            let wentLive = Set(
                try records.deployments(of: application.id, limit: 1_000)
                    .filter { $0.state == DeploymentState.live.rawValue }.compactMap(\.release))
            return try records.releases(of: application.id, limit: 1_000)
                .filter { $0.version < live && wentLive.contains($0.version) }
        }
        guard let former = candidates.first else {
            throw PlatformError(
                .conflict, "v\(live) is the first release of \(application.name); there is none before it")
        }
        try await self.requireSlug(of: former)
        return former
    }

    /// The newest deployments first.
    public func deployments(of name: String) async throws(PlatformError) -> [DeploymentInfo] {
        let application = try await self.find(name)
        return try await self.reading { try $0.deployments(of: application.id, limit: 200) }.map(DeploymentInfo.init)
    }

    /// One deployment.
    public func deployment(_ number: Int, of name: String) async throws(PlatformError) -> DeploymentInfo {
        let application = try await self.find(name)
        guard let record = try await self.reading({ try $0.deployment(number, of: application.id) }) else {
            throw PlatformError(.notFound, "\(name) has no build \(number)")
        }
        return DeploymentInfo(record)
    }

    /// The output of a deployment, as it was shown.
    public func deploymentLog(_ number: Int, of name: String) async throws(PlatformError) -> String {
        let application = try await self.find(name)
        _ = try await self.deployment(number, of: name)
        let path = self.deploymentLogPath(application.id, number)
        guard let data = FileManager.default.contents(atPath: path.string) else { return "" }
        return String(decoding: data, as: UTF8.self)
    }

    /// Ends a deployment that is queued or under way. What was live stays so.
    public func cancelDeployment(
        _ number: Int, of name: String, by principal: Principal
    ) async throws(PlatformError) -> DeploymentInfo {
        let application = try await self.find(name)
        let info = try await self.deployment(number, of: name)
        let key = DeploymentKey(applicationID: application.id, number: number)
        guard let running = self.state.withLock({ $0.running[key] }) else {
            throw PlatformError(.conflict, "build \(number) of \(name) is \(info.state.rawValue) already")
        }
        try await self.audit("deployment.cancel", application, "build \(number)", by: principal)
        running.trip("cancelled by \(principal.name)")
        return info
    }

    func deploymentLogPath(_ applicationID: String, _ number: Int) -> FilePath {
        self.configuration.dataDirectory.appending("deployments").appending("\(applicationID)-\(number).log")
    }

    // MARK: The frame of every deployment

    /// Journals a deployment, waits for its turn, runs it and journals how it ended.
    ///
    /// - Parameter carriesSource: whether it takes the place of those that wait, and gives its own to a newer one.
    func withDeployment(
        of name: String, description: String, commit: String?, by principal: Principal, carriesSource: Bool,
        action: String, output: any ProgressOutput,
        _ body: @escaping @Sendable (DeploymentRun) async throws -> Void
    ) async throws(PlatformError) -> DeploymentInfo {
        let application = try await self.find(name)
        guard self.isReady else { throw Self.unavailable }
        let record = try await self.journal(application, description, commit, action, principal)
        let key = DeploymentKey(applicationID: application.id, number: record.number)
        let cancellation = CancellationSwitch()
        let obstacle: String? = self.state.withLock { state in
            state.running[key] = cancellation
            if state.isStopping { return "the platform is stopping" }
            return state.departing.contains(application.id) ? "the application is destroyed" : nil
        }
        if let obstacle { cancellation.trip(obstacle) }
        defer { self.state.withLock { $0.running[key] = nil } }
        let log = DeploymentLog(
            applicationID: application.id, hub: self.logs, output: output,
            path: self.deploymentLogPath(application.id, record.number),
            byteLimit: self.configuration.deploymentLogLimit
        ) { cancellation.trip("the client that asked for it went away") }
        do {
            try await cancellation.guarding {
                try await self.queue(of: application.id).withTurn(superseding: carriesSource ? record.number : nil) {
                    // Read again: it may have changed, and even its name, while this one waited.
                    let present = try await self.current(application)
                    try await body(
                        DeploymentRun(
                            platform: self, application: present, number: record.number, author: principal.name,
                            log: log))
                }
            }
            self.release(.deployment(key))
            return try await self.deployment(record.number, of: try await self.current(application).name)
        } catch {
            defer { self.letGo(of: key) }
            // When whoever waits has gone, what the work ended with only says how it noticed.
            let isOwn = error is TurnQueue.Superseded || error is CancellationSwitch.Tripped
            let cause = Task.isCancelled && !isOwn ? CancellationError() : error
            if let failure = await self.close(record, after: cause, log: log) { throw failure }
            return try await shielded { () async throws(PlatformError) in
                try await self.deployment(record.number, of: try await self.current(application).name)
            }
        }
    }

    /// Removes what a deployment that failed has stored and nobody needs: else whoever may deploy could fill the disk.
    private func letGo(of deployment: DeploymentKey) {
        guard let slug = self.release(.deployment(deployment)) else { return }
        self.tidySlugs(of: deployment.applicationID, without: slug)
    }

    static var unavailable: PlatformError {
        PlatformError(.unavailable, "the platform is starting or stopping; try again in a moment")
    }

    private func journal(
        _ application: ApplicationRecord, _ description: String, _ commit: String?, _ action: String,
        _ principal: Principal
    ) async throws(PlatformError) -> DeploymentRecord {
        let now = self.now()
        let keeping = self.configuration.auditEntries
        let record = try await self.writing { records in
            guard var current = try records.application(id: application.id) else {
                throw PlatformError(.notFound, "\(application.name) was destroyed")
            }
            current.lastDeployment += 1
            try records.save(current)
            let record = DeploymentRecord(
                applicationID: application.id, number: current.lastDeployment,
                state: DeploymentState.queued.rawValue, description: description, author: principal.name,
                commit: commit, release: nil, cause: nil, createdAt: now, finishedAt: nil)
            try records.save(record)
            try records.append(
                AuditRecord(
                    at: now, actor: principal.name, action: action, application: application.name, detail: description),
                keeping: keeping)
            return record
        }
        self.configuration.onJournal?(.queued)
        return record
    }

    /// Journals a failure and says why, wherever somebody may look for it. Answers `nil` for one that was live already
    /// when it was cancelled: it stays so.
    private func close(_ record: DeploymentRecord, after error: any Error, log: DeploymentLog) async -> PlatformError? {
        let (state, failure) = Self.outcome(of: error)
        let now = self.now()
        return await shielded {
            do {
                let isLive = try await self.store.write { records in
                    guard var current = try records.deployment(record.number, of: record.applicationID) else {
                        return false
                    }
                    guard current.state != DeploymentState.live.rawValue else { return true }
                    current.state = state.rawValue
                    current.cause = failure.message
                    current.finishedAt = now
                    try records.save(current)
                    return false
                }
                if isLive { return nil }
                for line in failure.details { await log.write("       | \(line)") }
                await log.write(" !     \(failure.message)")
            } catch {
                self.logger.error("cannot journal the end of a deployment", metadata: ["error": "\(error)"])
            }
            return failure
        }
    }

    private static func outcome(of error: any Error) -> (DeploymentState, PlatformError) {
        switch error {
        case let error as TurnQueue.Superseded:
            (.superseded, PlatformError(.cancelled, "a newer deployment (build \(error.by)) took its place"))
        case let error as CancellationSwitch.Tripped:
            (.cancelled, PlatformError(.cancelled, error.reason))
        case is CancellationError:
            (.cancelled, PlatformError(.cancelled, "the client that asked for it went away"))
        case let error as PlatformError:
            (error.code == .cancelled ? .cancelled : .failed, error)
        default:
            (.failed, PlatformError(.internalError, "\(error)", cause: error))
        }
    }
}

extension DeploymentInfo {
    init(_ record: DeploymentRecord) {
        self.init(
            number: record.number, state: DeploymentState(rawValue: record.state) ?? .failed,
            description: record.description, author: record.author, commit: record.commit, release: record.release,
            cause: record.cause, createdAt: record.createdAt, finishedAt: record.finishedAt)
    }
}
