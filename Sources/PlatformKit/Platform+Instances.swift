internal import MetricsCore
public import PlatformWire
internal import Synchronization

extension Platform {
    /// The instances of an application, by name; old ones that are on their way out too.
    public func instances(of name: String) async throws(PlatformError) -> [InstanceInfo] {
        let application = try await self.find(name)
        let routed = await self.controller(of: application.id).routed
        return self.runtime.instances(of: application.id)
            .sorted { ($0.processType, $0.number, $0.serial) < ($1.processType, $1.number, $1.serial) }
            .map { instance in
                let memory = instance.pid.flatMap { try? self.sampler.sample($0) }?.residentBytes
                return InstanceInfo(
                    name: instance.name, release: instance.release, state: instance.phase.rawValue, pid: instance.pid,
                    port: instance.port, startedAt: instance.startedAt, restarts: instance.restarts,
                    lastExit: instance.lastExit, lastProbe: instance.lastProbe, memoryBytes: memory,
                    isRouted: routed.contains(instance.id), size: instance.size)
            }
    }

    /// Sets the wanted numbers of instances, and the sizes of process types; returns when the new ones are ready. Instances
    /// of another size than is wanted are replaced, with no request lost.
    ///
    /// - Throws: `invalid` for a process type that the release does not have or a size that there is not, `limit` for too many, `refused` when a
    ///   new instance does not become ready; what is wanted is then as it was before.
    public func scale(
        _ name: String, to quantities: [String: Int], sizes: [String: String] = [:], by principal: Principal,
        output: any ProgressOutput
    ) async throws(PlatformError) -> [InstanceInfo] {
        let application = try await self.find(name)
        try await self.inTurn(application) { (application) async throws in
            let release = try await self.check(quantities, application, sizes: sizes)
            let before = (application.formation, application.sizes)
            let after = (before.0.merging(quantities) { $1 }, before.1.merging(sizes) { $1 })
            try await self.save(after, of: application)
            let controller = self.controller(of: application.id)
            do {
                let progress: Progress = { line in try? await output.line("       \(line)") }
                await controller.set(sizes: self.sizes(of: release, try await self.current(application)))
                try await controller.scale(to: after.0, progress: progress)
                try await self.replaceMisfits(of: application, sizes, progress)
            } catch {
                try await shielded { () async throws in
                    try await self.save(before, of: application)
                    await controller.set(sizes: self.sizes(of: release, try await self.current(application)))
                    try await controller.scale(to: before.0) { _ in }
                }
                throw error
            }
            let words = Set(quantities.keys).union(sizes.keys).sorted().map { type in
                "\(type)=\(quantities[type].map { "\($0)" } ?? "")" + (sizes[type].map { ":\($0)" } ?? "")
            }
            try await self.audit("ps.scale", application, words.joined(separator: " "), by: principal)
        }
        return try await self.instances(of: try await self.current(application).name)
    }

    /// Replaces instances by new ones of the same release: each old one goes when its successor is ready. The target is a
    /// process type, the name of an instance, or `nil` for all.
    public func restart(
        _ target: String?, of name: String, by principal: Principal, output: any ProgressOutput
    ) async throws(PlatformError) {
        try await self.inTurn(try await self.find(name)) { application in
            let found = try await self.controller(of: application.id).replace { slot in
                target == nil || target == slot.processType || target == slot.description
            } progress: { line in
                try? await output.line("       \(line)")
            }
            guard found else {
                throw PlatformError(.notFound, "\(name) runs no \(target ?? "instance")")
            }
            try await self.audit("ps.restart", application, target ?? "all", by: principal)
        }
    }

    /// Ends the process of one instance; its restart policy starts it again. Or ends a one-off.
    public func stopInstance(
        _ instanceName: String, of name: String, by principal: Principal
    ) async throws(PlatformError) {
        let application = try await self.find(name)
        if try await self.endOneOff(instanceName, of: application, by: principal) { return }
        let found = self.runtime.instances(of: application.id).filter { $0.name == instanceName }
        guard !found.isEmpty else { throw PlatformError(.notFound, "\(name) runs no \(instanceName)") }
        for instance in found { try await self.runtime.restart(instance.id) }
        try await self.audit("ps.stop", application, instanceName, by: principal)
    }

    /// Runs `body` when no deployment or other change of the application is under way.
    func inTurn<R>(
        _ application: ApplicationRecord, _ body: (ApplicationRecord) async throws -> R
    ) async throws(PlatformError) -> R {
        guard self.isReady else { throw Self.unavailable }
        do {
            return try await self.queue(of: application.id).withTurn {
                // Its destruction waits for this turn.
                guard !self.state.withLock({ $0.departing.contains(application.id) }) else {
                    throw PlatformError(.notFound, "\(application.name) is being destroyed")
                }
                // Read again: it may have changed, and even its name, while this one waited.
                return try await body(try await self.current(application))
            }
        } catch let error as PlatformError where !Task.isCancelled {
            throw error
        } catch  where Task.isCancelled || error is CancellationError {
            throw PlatformError(.cancelled, "the request was cancelled")
        } catch {
            throw PlatformError(.internalError, "\(error)", cause: error)
        }
    }

    /// Puts instances of the wanted size in the place of those that have another.
    private func replaceMisfits(
        of application: ApplicationRecord, _ sizes: [String: String], _ progress: Progress
    ) async throws {
        let misfits = Set(
            self.runtime.instances(of: application.id)
                .filter { instance in sizes[instance.processType].map { $0 != instance.size } ?? false }
                .map { Slot(processType: $0.processType, number: $0.number) })
        guard !misfits.isEmpty else { return }
        _ = try await self.controller(of: application.id).replace(
            matching: { misfits.contains($0) }, progress: progress)
    }

    /// The size of each process type of a release. One that there is no more is the default.
    func sizes(of release: ReleaseRecord, _ application: ApplicationRecord) -> [String: InstanceSize] {
        let standard = (try? self.size(named: nil)) ?? .unlimited
        return release.processTypes.keys.reduce(into: [:]) { sizes, type in
            sizes[type] = application.sizes[type].flatMap { try? self.size(named: $0) } ?? standard
        }
    }

    private func check(
        _ quantities: [String: Int], _ application: ApplicationRecord, sizes: [String: String]
    ) async throws(PlatformError) -> ReleaseRecord {
        for size in sizes.values { _ = try self.size(named: size) }
        let maximum = self.configuration.maxInstancesPerType
        for (type, quantity) in quantities where !(0...maximum).contains(quantity) {
            throw PlatformError(.limit, "\(type)=\(quantity): between 0 and \(maximum) instances are allowed")
        }
        guard let version = application.liveRelease,
            let release = try await self.reading({ try $0.release(version, of: application.id) })
        else {
            throw PlatformError(.conflict, "\(application.name) has no release yet; deploy something first")
        }
        for type in Set(quantities.keys).union(sizes.keys).sorted() where release.processTypes[type] == nil {
            let types = release.processTypes.keys.sorted().joined(separator: ", ")
            throw PlatformError(
                .invalid, "v\(version) of \(application.name) has no process type \(type); it has: \(types)")
        }
        for (type, quantity) in quantities where quantity > 1 && release.life[type]?.isSingleton == true {
            throw PlatformError(
                .invalid,
                "\(type)=\(quantity): of \(type) there is one instance at most (formation.\(type).singleton in app.json"
                    + " of v\(version)); scale it to 0 or 1, or deploy an app.json without that")
        }
        return release
    }

    private func save(
        _ wanted: (formation: [String: Int], sizes: [String: String]), of application: ApplicationRecord
    ) async throws(PlatformError) {
        try await self.writing { records in
            guard var current = try records.application(id: application.id) else { return }
            current.formation = wanted.formation
            current.sizes = wanted.sizes
            try records.save(current)
        }
    }
}
