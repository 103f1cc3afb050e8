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
                    isRouted: routed.contains(instance.id))
            }
    }

    /// Sets the wanted numbers of instances; returns when the new ones are ready.
    ///
    /// - Throws: `invalid` for a process type that the release does not have, `limit` for too many, `refused` when a
    ///   new instance does not become ready; the wanted numbers are then as they were before.
    public func scale(
        _ name: String, to quantities: [String: Int], by principal: Principal, output: any ProgressOutput
    ) async throws(PlatformError) -> [InstanceInfo] {
        let application = try await self.find(name)
        try await self.inTurn(application) { (application) async throws in
            try await self.check(quantities, application)
            let before = application.formation
            let after = before.merging(quantities) { $1 }
            try await self.save(formation: after, of: application)
            do {
                try await self.controller(of: application.id).scale(to: after) { line in
                    try? await output.line("       \(line)")
                }
            } catch {
                try await shielded { () async throws in
                    try await self.save(formation: before, of: application)
                    try await self.controller(of: application.id).scale(to: before) { _ in }
                }
                throw error
            }
            let words = quantities.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
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
                // Read again: it may have changed, and even its name, while this one waited.
                try await body(try await self.current(application))
            }
        } catch let error as PlatformError where !Task.isCancelled {
            throw error
        } catch  where Task.isCancelled || error is CancellationError {
            throw PlatformError(.cancelled, "the request was cancelled")
        } catch {
            throw PlatformError(.internalError, "\(error)", cause: error)
        }
    }

    private func check(_ quantities: [String: Int], _ application: ApplicationRecord) async throws(PlatformError) {
        let maximum = self.configuration.maxInstancesPerType
        for (type, quantity) in quantities where !(0...maximum).contains(quantity) {
            throw PlatformError(.limit, "\(type)=\(quantity): between 0 and \(maximum) instances are allowed")
        }
        guard let version = application.liveRelease,
            let release = try await self.reading({ try $0.release(version, of: application.id) })
        else {
            throw PlatformError(.conflict, "\(application.name) has no release yet; deploy something first")
        }
        for type in quantities.keys where release.processTypes[type] == nil {
            let types = release.processTypes.keys.sorted().joined(separator: ", ")
            throw PlatformError(
                .invalid, "v\(version) of \(application.name) has no process type \(type); it has: \(types)")
        }
    }

    private func save(formation: [String: Int], of application: ApplicationRecord) async throws(PlatformError) {
        try await self.writing { records in
            guard var current = try records.application(id: application.id) else { return }
            current.formation = formation
            try records.save(current)
        }
    }
}
