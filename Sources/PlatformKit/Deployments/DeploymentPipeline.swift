internal import BuildpackKit
internal import MetricsCore
internal import PlatformWire
internal import SlugStore
internal import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// What a release is made of, before it has a number.
struct ReleaseDraft: Sendable {
    var slug: String
    var commit: String?
    var description: String
    var processTypes: [String: String]
    var releaseCommand: String?
    var life: [String: LifeRecord]
    var config: [String: String]
    /// Wanted numbers of the first release.
    var formation: [String: Int] = [:]
    var runsReleaseCommand = true
}

/// One deployment on its way through the journal.
struct DeploymentRun: Sendable {
    let platform: Platform
    let application: ApplicationRecord
    let number: Int
    let author: String
    let log: DeploymentLog

    /// Journals the state, and only then lets the step begin.
    func advance(to state: DeploymentState, release: Int? = nil) async throws {
        let (id, number) = (self.application.id, self.number)
        try await self.platform.store.write { records in
            guard var record = try records.deployment(number, of: id) else { return }
            record.state = state.rawValue
            if let release { record.release = release }
            try records.save(record)
        }
        self.platform.configuration.onJournal?(state)
    }

    // MARK: Source to slug

    /// Builds a source and stores the slug.
    func build(_ source: DeploymentSource) async throws -> ReleaseDraft {
        let data = self.platform.configuration.dataDirectory
        let workspace = data.appending("builds").appending("\(self.application.id)-\(self.number)")
        let cache = data.appending("caches").appending(self.application.id)
        try FileManager.default.createDirectory(atPath: workspace.string, withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: cache.string, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: workspace.string) }

        let log = self.log
        try await self.advance(to: .building)
        try await source.populate(workspace) { await log.write($0) }
        let config = try self.platform.sealer.open(self.application.sealedConfig, for: self.application.id)
        let result: BuildResult
        do throws(BuildError) {
            result = try await self.platform.builder.build(
                BuildRequest(
                    application: self.application.name, source: workspace, cache: cache, environment: config,
                    sourceVersion: source.commit),
                log: self.log)
        } catch {
            if error.code == .cancelled { throw CancellationError() }
            throw PlatformError(.refused, error.line, cause: error)
        }
        let types = Dictionary(result.processTypes.map { ($0.name, $0.command) }) { first, _ in first }
        for note in result.appManifest.notes(on: types.keys) { await self.log.write(" !     app.json: \(note)") }
        await self.log.write("-----> Storing the slug")
        let summary = try await self.store(result.tree, types: types, buildpacks: result.buildpacks)
        await self.log.write(
            "       \(summary.files) file\(summary.files == 1 ? "" : "s"), \(byteText(summary.bytes)); \(byteText(summary.newBytesStored)) added to the store: \(summary.id.shortDescription)"
        )
        try await self.advance(to: .packaged)
        return ReleaseDraft(
            slug: "\(summary.id)", commit: source.commit, description: "Deploy \(source.description)",
            processTypes: types.filter { $0.key != "release" }, releaseCommand: types["release"],
            life: result.appManifest.life(
                of: types.keys, bootTimeout: self.platform.configuration.bootTimeout),
            config: result.appManifest.completing(config), formation: result.appManifest.quantities)
    }

    private var holder: SlugHolder {
        .deployment(.init(applicationID: self.application.id, number: self.number))
    }

    /// Keeps a former release's slug from being removed while it is rolled out again.
    func keepSlug(of release: ReleaseRecord) async throws {
        try await self.platform.claimSlug(of: release, for: self.holder)
    }

    private func store(
        _ tree: FilePath, types: [String: String], buildpacks: [String]
    ) async throws -> SlugSummary {
        let slugs = self.platform.slugs
        let metadata = SlugMetadata(processTypes: types, buildpacks: buildpacks, labels: [:])
        do {
            var summary = try await slugs.put(tree, metadata: metadata, progress: nil)
            // It was there already, and was removed before it was this deployment's: once it is, nobody removes it.
            while try await !self.platform.claim(summary.id, for: self.holder) {
                summary = try await slugs.put(tree, metadata: metadata, progress: nil)
            }
            if let signer = self.platform.configuration.slugSigner { try await slugs.sign(summary.id, by: signer) }
            return summary
        } catch {
            try Task.checkCancellation()
            throw PlatformError(.refused, "the built application cannot be stored: \(error)", cause: error)
        }
    }

    // MARK: Slug to live release

    /// Makes a release of the draft, runs its release command and rolls it out.
    func release(_ draft: ReleaseDraft) async throws -> ReleaseRecord {
        let platform = self.platform
        let id = self.application.id
        let sealed = try platform.sealer.seal(draft.config, for: id)
        // Both, whatever becomes of this release: the live one goes on logging until the new one has its place.
        platform.logs.setSecrets(
            try platform.secrets(of: self.application).union(Platform.secrets(in: draft.config)), for: id)
        let (author, now) = (self.author, platform.now())
        let (release, formation) = try await platform.store.write { records in
            guard var application = try records.application(id: id) else {
                throw PlatformError(.notFound, "the application was destroyed")
            }
            application.lastRelease += 1
            let release = ReleaseRecord(
                applicationID: id, version: application.lastRelease, slug: draft.slug, commit: draft.commit,
                author: author, description: draft.description, createdAt: now, processTypes: draft.processTypes,
                releaseCommand: draft.releaseCommand, life: draft.life, sealedConfig: sealed)
            try records.insert(release)
            try records.save(application)
            return (release, Self.formation(of: application, draft: draft))
        }
        try await self.advance(to: .releasing, release: release.version)
        await self.log.write("-----> Release v\(release.version)")
        try await platform.ensureLoaded(self.application)
        if draft.runsReleaseCommand { try await self.runReleaseCommand(of: release) }

        try await self.advance(to: .rollingOut)
        await self.log.write("-----> Rolling out v\(release.version)")
        let plan = try await platform.launchPlan(release, self.application)
        let log = self.log
        try await platform.controller(of: id).rollOut(plan, formation: formation) {
            await log.write("       \($0)")
        } promote: {
            try await self.promote(release, formation: formation)
        }
        await self.log.write("       \(platform.url(of: self.application.name)) is live with v\(release.version)")
        platform.tidySlugs(of: id)
        return release
    }

    /// The one transaction that makes a release the live one. Before it nothing has happened, after it everything has.
    private func promote(_ release: ReleaseRecord, formation: [String: Int]) async throws {
        let number = self.number
        let now = self.platform.now()
        try await self.platform.store.write { records in
            guard var application = try records.application(id: release.applicationID),
                var deployment = try records.deployment(number, of: release.applicationID)
            else { throw PlatformError(.notFound, "the application was destroyed") }
            application.liveRelease = release.version
            application.sealedConfig = release.sealedConfig
            application.formation = formation
            try records.save(application)
            deployment.state = DeploymentState.live.rawValue
            deployment.finishedAt = now
            try records.save(deployment)
        }
        self.platform.configuration.onJournal?(.live)
    }

    private func runReleaseCommand(of release: ReleaseRecord) async throws {
        guard let command = release.releaseCommand else { return }
        await self.log.write("-----> Running the release command: \(command)")
        let splitter = LineSplitter()
        let (lines, feed) = AsyncStream<String>.makeStream(bufferingPolicy: .bufferingNewest(100_000))
        let plan = try await self.platform.launchPlan(release, self.application)
        let log = self.log
        try await self.platform.controller(of: self.application.id).makeRoom(for: plan.user) {
            await log.write("       \($0)")
        }
        try await self.platform.prepareStorage(of: plan)
        let request = self.platform.oneOffRequest(
            plan, processType: "release", number: self.number, command: .shell(command),
            size: try self.platform.size(named: nil))
        let exit = try await withThrowingTaskGroup(of: WorkloadExit?.self) { group in
            group.addTask {
                for await line in lines { await log.write("       " + line, source: .release) }
                return nil
            }
            group.addTask {
                defer { feed.finish() }
                let exit = try await self.platform.runtime.runOneOff(
                    request, timeout: self.platform.configuration.releaseTimeout,
                    session: OneOffSession { bytes in
                        for line in splitter.add(bytes) { feed.yield(line) }
                    })
                for line in splitter.finish() { feed.yield(line) }
                return exit
            }
            var exit: WorkloadExit?
            for try await result in group { exit = result ?? exit }
            return exit
        }
        guard let exit, exit.status != 0 else { return }
        throw PlatformError(
            .refused, "the release command failed with \(exit.description); v\(release.version) was not rolled out")
    }

    /// The wanted numbers for a release: those set before, else those of `app.json`, else one `web`.
    static func formation(of application: ApplicationRecord, draft: ReleaseDraft) -> [String: Int] {
        var formation = application.formation
        for type in draft.processTypes.keys where formation[type] == nil {
            formation[type] = draft.formation[type] ?? (type == "web" ? 1 : 0)
        }
        for (type, life) in draft.life where life.isSingleton { formation[type] = min(formation[type] ?? 0, 1) }
        return formation
    }
}

func byteText(_ bytes: Int64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"]
    var (value, unit) = (Double(bytes), 0)
    while value >= 1_000, unit < units.count - 1 { (value, unit) = (value / 1_000, unit + 1) }
    return unit == 0 ? "\(bytes) B" : "\((value * 10).rounded() / 10) \(units[unit])"
}

extension BuildError {
    /// What failed, in one line; its output was shown while it ran.
    fileprivate var line: String {
        var line = self.message.hasSuffix(".") ? String(self.message.dropLast()) : self.message
        if let command { line += ": \(command)" + (self.exit.map { " (\($0))" } ?? "") }
        return line
    }
}
