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

    /// Ends the process of one instance; its restart policy starts it again.
    public func stopInstance(
        _ instanceName: String, of name: String, by principal: Principal
    ) async throws(PlatformError) {
        let application = try await self.find(name)
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

    // MARK: One-offs

    /// Runs a command with the live release. Returns when it has ended, or at once for a detached one.
    ///
    /// `output` gets stdout and stderr in order; when it throws, the command is ended.
    public func runOneOff(
        _ request: OneOffRequest, of name: String, by principal: Principal,
        output: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws(PlatformError) -> OneOffResult {
        guard !request.command.isEmpty else { throw PlatformError(.invalid, "no command was given") }
        let (application, release, number) = try await self.startOneOff(name)
        var plan = try self.launchPlan(release, application)
        plan.environment.merge(request.environment) { $1 }
        let workload = self.oneOffRequest(
            plan, processType: "run", number: number, command: .arguments(request.command))
        try await self.audit("run", application, request.command.first ?? "", by: principal)
        let timeout = self.configuration.oneOffTimeout
        let key = DeploymentKey(applicationID: application.id, number: number)
        let ending = CancellationSwitch()
        self.state.withLock { $0.oneOffs[key] = ending }
        if request.detach {
            self.jobs.add {
                defer { self.state.withLock { $0.oneOffs[key] = nil } }
                let splitter = LineSplitter()
                let end: String
                do {
                    let exit = try await ending.guarding {
                        try await self.runtime.runOneOff(workload, timeout: timeout) { bytes in
                            self.log(splitter.add(bytes), of: workload.name, application.id)
                        }
                    }
                    end = "Ended: \(exit.description)"
                } catch {
                    end = "Failed: \(error)"
                }
                self.log(splitter.finish() + [end], of: workload.name, application.id)
            }
            return OneOffResult(name: workload.name, status: nil)
        }
        defer { self.state.withLock { $0.oneOffs[key] = nil } }
        do {
            let exit = try await ending.guarding {
                try await self.attach(workload, timeout: timeout, output: output)
            }
            self.note("\(workload.name) ended: \(exit.description)", application.id)
            return OneOffResult(name: workload.name, status: exit.status)
        } catch let error as PlatformError {
            throw error
        } catch let error as CancellationSwitch.Tripped {
            throw PlatformError(.cancelled, "\(error.reason); the command was ended")
        } catch {
            throw PlatformError(.cancelled, "the client went away; the command was ended", cause: error)
        }
    }

    private func startOneOff(_ name: String) async throws(PlatformError) -> (ApplicationRecord, ReleaseRecord, Int) {
        try await self.writing { records in
            guard var application = try records.application(named: name) else {
                throw PlatformError(.notFound, "there is no application \(name)")
            }
            guard let version = application.liveRelease, let release = try records.release(version, of: application.id)
            else { throw PlatformError(.conflict, "\(name) has no release yet; deploy something first") }
            application.lastOneOff += 1
            try records.save(application)
            return (application, release, application.lastOneOff)
        }
    }

    /// Runs it and passes its output on, in order, all of it before this returns.
    private func attach(
        _ workload: WorkloadRequest, timeout: Duration?, output: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> WorkloadExit {
        // Unbounded in chunks, bounded in bytes: those are what fills the memory.
        let (bytes, feed) = AsyncStream<[UInt8]>.makeStream(bufferingPolicy: .unbounded)
        let backlog = OutputBacklog(limit: self.configuration.oneOffBacklog)
        return try await withThrowingTaskGroup(of: WorkloadExit?.self) { group in
            group.addTask {
                for await chunk in bytes {
                    try await output(chunk)
                    backlog.remove(chunk.count)
                }
                let count = backlog.dropped
                if count > 0 { try await output(Array("[\(count) bytes of output were dropped]\n".utf8)) }
                return nil
            }
            group.addTask {
                defer { feed.finish() }
                return try await self.runtime.runOneOff(workload, timeout: timeout) { chunk in
                    if backlog.admits(chunk.count) { feed.yield(chunk) }
                }
            }
            var exit: WorkloadExit?
            for try await result in group { exit = result ?? exit }
            guard let exit else { throw CancellationError() }
            return exit
        }
    }

    private func log(_ lines: [String], of process: String, _ applicationID: String) {
        guard !lines.isEmpty else { return }
        self.append(lines, process: process, to: applicationID)
    }

    func oneOffRequest(
        _ plan: LaunchPlan, processType: String, number: Int, command: WorkloadRequest.Command
    ) -> WorkloadRequest {
        let name = "\(processType).\(number)"
        return WorkloadRequest(
            applicationID: plan.release.applicationID, processType: processType, number: number,
            release: plan.release.version, serial: number, slug: plan.release.slug, command: command,
            environment: plan.environment.merging(["SLIPWAY_PROCESS": name]) { $1 }, readiness: nil, needsPort: false,
            stopGrace: self.configuration.stopGrace)
    }
}

/// Counts the bytes that wait to be passed on, and those that found no room.
final class OutputBacklog: Sendable {
    private let limit: Int
    private let state = Mutex((waiting: 0, dropped: 0))

    init(limit: Int) { self.limit = limit }

    var dropped: Int { self.state.withLock { $0.dropped } }

    /// Whether so many bytes have room; they are counted, either way.
    func admits(_ count: Int) -> Bool {
        self.state.withLock { state in
            guard state.waiting + count <= self.limit else {
                state.dropped += count
                return false
            }
            state.waiting += count
            return true
        }
    }

    func remove(_ count: Int) { self.state.withLock { $0.waiting -= count } }
}
