internal import GitReceiver
internal import Logging
internal import MetricsCore
internal import PlatformWire
internal import Synchronization
internal import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension Platform {
    /// Stops everything of an application and forgets it: releases, logs, repository, cache, storage.
    ///
    /// First its one-offs and deployments are told to end, and have ``Configuration/destructionTimeout`` to do so, together; only
    /// then anything is removed. What may be large, its storage and its slugs, goes in the background, after the return.
    ///
    /// - Throws: `conflict` when one of them does not end in that time: those that could were ended, and everything else is
    ///   as it was. Also while it is being renamed, or destroyed already. `notFound` when there is no such application.
    public func destroyApplication(_ name: String, by principal: Principal) async throws(PlatformError) {
        let application = try await self.find(name)
        let isFirst = self.state.withLock { state in
            !state.renaming.values.contains(application.id) && state.departing.insert(application.id).inserted
        }
        guard isFirst else {
            throw PlatformError(.conflict, "\(name) is being destroyed already, or renamed")
        }
        defer { self.state.withLock { _ = $0.departing.remove(application.id) } }
        try await self.audit("app.destroy", application, "", by: principal)
        let running = self.state.withLock { state in
            state.running.filter { $0.key.applicationID == application.id }.map(\.value)
        }
        for work in running { work.trip("the application is destroyed") }
        let slugs = try await self.endAndForget(application)
        // Whoever asked may have gone, and a client does not wait for as long as millions of files take. Of what a stop of
        // the platform breaks off here, the next start removes the rest.
        let removeRest: @Sendable () async -> Void = {
            await self.removeStorage(of: application.id)
            await self.removeUnused(slugs)
        }
        if !self.jobs.add(removeRest) { await shielded(removeRest) }
        await self.refreshCertificates()
    }

    /// Ends what runs and deletes the records; answers with the slugs they referred to. What one-offs and deployments could
    /// still write to is to be removed, and their user to be given to others: so they end first.
    private func endAndForget(_ application: ApplicationRecord) async throws(PlatformError) -> Set<String> {
        let departure = self.endAllOneOffs(of: application, because: "the application is destroyed")
        let limit = self.configuration.destructionTimeout
        // A task of its own: whoever asked may have gone, and what was begun is done.
        let work = Task { () -> Result<Set<String>, any Error> in
            for await _ in departure {}
            do {
                try self.checkThatNoOneOffIsLeft(of: application)
                return .success(
                    try await self.queue(of: application.id).withTurn {
                        // From here on, no limit ends it: half destroyed it would be of no use to anybody.
                        try await shielded {
                            await self.controller(of: application.id).retire()
                            return try await self.removeAll(of: try await self.current(application))
                        }
                    })
            } catch {
                return .failure(error)
            }
        }
        let timer = Task {
            try await self.clock.sleep(for: limit)
            work.cancel()
        }
        defer { timer.cancel() }
        do {
            return try await work.value.get()
        } catch let error as PlatformError {
            throw error
        } catch is CancellationError {
            throw PlatformError(
                .conflict,
                "a deployment or another change of \(application.name) has not ended within \(limit); nothing was removed. Try again when it has"
            )
        } catch {
            throw PlatformError(.internalError, "cannot forget \(application.name): \(error)", cause: error)
        }
    }

    private func checkThatNoOneOffIsLeft(of application: ApplicationRecord) throws(PlatformError) {
        let left = self.state.withLock { $0.oneOffs }.filter { $0.key.applicationID == application.id }
            .sorted { $0.key.number < $1.key.number }.map(\.value.workload.name)
        guard left.isEmpty else {
            throw PlatformError(
                .conflict,
                "\(left.joined(separator: ", ")) of \(application.name) was told to end, and has not within \(self.configuration.destructionTimeout); nothing was removed. Try again when `slipway run --list` shows none"
            )
        }
    }

    /// Deletes the records and what goes by the name, which nobody else can take before that is gone.
    ///
    /// - Parameter application: as it is now: it may have been renamed while others had their turn, and not any more.
    private func removeAll(of application: ApplicationRecord) async throws(PlatformError) -> Set<String> {
        let name = application.name
        self.state.withLock { $0.renaming[name] = application.id }
        defer { self.state.withLock { $0.renaming[name] = nil } }
        let slugs = try await self.forget(application)
        do {
            try await self.gitServer.removeRepository(name)
        } catch {
            self.logger.warning("cannot remove a repository", metadata: ["error": "\(error)"])
        }
        self.logs.remove(application.id)
        self.signals.remove(application: application.id)
        self.names.set(nil, of: application.id)
        self.registry.removeSeries(where: "app", equals: name)
        let cache = self.configuration.dataDirectory.appending("caches").appending(application.id)
        try? FileManager.default.removeItem(atPath: cache.string)
        self.removeDeploymentLogs(of: application.id)
        return slugs
    }

    private func forget(_ application: ApplicationRecord) async throws(PlatformError) -> Set<String> {
        let slugs = try await self.writing { records in
            let slugs = try Set(records.releases(of: application.id, limit: 100_000).map(\.slug))
            try records.deleteApplication(id: application.id)
            return slugs
        }
        self.state.withLock { state in
            state.controllers[application.id] = nil
            state.queues[application.id] = nil
        }
        return slugs
    }

    private func removeDeploymentLogs(of applicationID: String) {
        let directory = self.configuration.dataDirectory.appending("deployments")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.string)) ?? []
        for name in names where name.hasPrefix("\(applicationID)-") {
            try? FileManager.default.removeItem(atPath: directory.appending(name).string)
        }
    }
}
