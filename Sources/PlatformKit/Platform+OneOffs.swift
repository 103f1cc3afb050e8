public import PlatformWire
internal import Synchronization
internal import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension Platform {
    /// Runs a command with the live release. Returns when it has ended and all of its output was taken, or at once for a
    /// detached one.
    ///
    /// A client that takes its time slows the command down. When the calling task is cancelled or the session's output
    /// throws, the client has gone: the command is ended, or goes on with its output in the log when it is to be kept.
    ///
    /// - Throws: `invalid` for a request that makes no sense, `limit` when as many run already or it asks for more time
    ///   than there is, `conflict` without a release or while instances of a user that the application had before still end,
    ///   `refused` when it cannot be started or takes too long, `cancelled` when it was ended or its client has gone.
    public func runOneOff(
        _ request: OneOffRequest, of name: String, by principal: Principal, session: OneOffSession
    ) async throws(PlatformError) -> OneOffResult {
        guard self.isReady else { throw Self.unavailable }
        let (timeout, size) = try self.check(request)
        let (application, release, number) = try await self.startOneOff(name)
        var plan = try await self.launchPlan(release, application)
        plan.environment.merge(request.environment) { $1 }
        let workload = self.oneOffRequest(
            plan, processType: "run", number: number, command: .arguments(request.command), size: size)
        let oneOff = OneOffRecord(
            workload: workload, request: request, author: principal.name, startedAt: self.now(), timeout: timeout,
            sink: OneOffSink(
                client: request.detach ? nil : session.output, keeps: request.keep,
                log: { self.log($0, of: workload.name, application.id) }))
        let key = DeploymentKey(applicationID: application.id, number: number)
        try self.admit(oneOff, key, application)
        do throws(PlatformError) {
            // Once it is admitted, its application is not destroyed before it has ended.
            try await self.prepareStorage(of: plan)
            try await self.audit("run", application, request.command.first ?? "", by: principal)
        } catch {
            self.forget(key)
            throw error
        }
        var workSession = session
        workSession.output = { try await oneOff.sink.take($0) }
        if request.detach { (workSession.input, workSession.window, workSession.windows) = (nil, nil, nil) }
        let carried = workSession
        guard request.detach || request.keep else {
            return try await self.carryOut(oneOff, key, carried)
        }
        let (ends, feed) = AsyncStream<Result<OneOffResult, PlatformError>>.makeStream()
        let isTaken = self.jobs.add {
            do throws(PlatformError) {
                feed.yield(.success(try await self.carryOut(oneOff, key, carried)))
            } catch {
                feed.yield(.failure(error))
            }
            feed.finish()
        }
        guard isTaken else {
            self.forget(key)
            throw Self.unavailable
        }
        if request.detach { return OneOffResult(name: workload.name, status: nil) }
        for await end in ends { return try end.get() }
        oneOff.sink.detach()
        throw PlatformError(.cancelled, "the client went away; \(workload.name) goes on, its output in the log")
    }

    /// The one-offs of an application that run, the oldest first.
    public func oneOffs(of name: String) async throws(PlatformError) -> [OneOffInfo] {
        let application = try await self.find(name)
        return self.state.withLock { $0.oneOffs }.filter { $0.key.applicationID == application.id }
            .sorted { $0.key.number < $1.key.number }.map(\.value.info)
    }

    /// Ends a one-off, if there is one of that name.
    func endOneOff(
        _ name: String, of application: ApplicationRecord, by principal: Principal
    ) async throws(PlatformError) -> Bool {
        let found = self.state.withLock { $0.oneOffs }.first {
            $0.key.applicationID == application.id && $0.value.workload.name == name
        }
        guard let found else { return false }
        try await self.audit("ps.stop", application, name, by: principal)
        found.value.ending.trip("\(principal.name) stopped it")
        return true
    }

    private func check(_ request: OneOffRequest) throws(PlatformError) -> (timeout: Duration, size: InstanceSize) {
        guard let program = request.command.first, !program.isEmpty else {
            throw PlatformError(.invalid, "no command was given")
        }
        let longest = self.configuration.oneOffTimeout
        let timeout = request.timeoutSeconds.map { Duration.seconds($0) } ?? longest
        guard timeout > .zero, timeout <= longest else {
            throw PlatformError(
                .limit,
                "a one-off may take from 1 to \(longest.components.seconds) s here, not \(timeout.components.seconds)")
        }
        if let window = request.terminal {
            guard 1...65_535 ~= window.columns, 1...65_535 ~= window.rows else {
                throw PlatformError(
                    .invalid, "a terminal of \(window.columns) columns and \(window.rows) rows is none")
            }
            guard !request.detach else {
                throw PlatformError(.invalid, "a detached one-off has no terminal; leave one of the two out")
            }
        }
        return (timeout, try self.size(named: request.size))
    }

    /// The size of that name; `nil` is the default.
    func size(named name: String?) throws(PlatformError) -> InstanceSize {
        let wanted = name ?? self.configuration.defaultSize
        guard let size = self.configuration.sizes.first(where: { $0.name == wanted }) else {
            let names = self.configuration.sizes.map(\.name).joined(separator: ", ")
            throw PlatformError(.invalid, "there is no size \(wanted); there are: \(names)")
        }
        return size
    }

    private func admit(
        _ oneOff: OneOffRecord, _ key: DeploymentKey, _ application: ApplicationRecord
    ) throws(PlatformError) {
        let limit = self.configuration.maxOneOffsPerApplication
        let isDeparting = self.state.withLock { $0.departing.contains(key.applicationID) }
        guard !isDeparting else { throw PlatformError(.notFound, "\(application.name) is being destroyed") }
        let isAdmitted = self.state.withLock { state in
            guard !state.departing.contains(key.applicationID) else { return false }
            guard state.oneOffs.count(where: { $0.key.applicationID == key.applicationID }) < limit else {
                return false
            }
            state.oneOffs[key] = oneOff
            return true
        }
        guard isAdmitted else {
            throw PlatformError(
                .limit,
                "\(limit) one-offs of \(application.name) run already, as many as may; end one: "
                    + "`slipway run --list`, `slipway ps stop run.N`")
        }
    }

    private func forget(_ key: DeploymentKey) {
        let waiting = self.state.withLock { state -> [AsyncStream<Never>.Continuation] in
            state.oneOffs[key] = nil
            guard !state.oneOffs.keys.contains(where: { $0.applicationID == key.applicationID }) else { return [] }
            return state.departures.removeValue(forKey: key.applicationID) ?? []
        }
        for departure in waiting { departure.finish() }
    }

    /// Ends the one-offs of an application, which begins none any more, and returns when nothing of them is left.
    ///
    /// - Returns: what ends when none of them is left.
    func endAllOneOffs(of application: ApplicationRecord, because reason: String) -> AsyncStream<Never> {
        let id = application.id
        let (departure, feed) = AsyncStream<Never>.makeStream()
        let running = self.state.withLock { state in
            let running = state.oneOffs.filter { $0.key.applicationID == id }.map(\.value.ending)
            if !running.isEmpty { state.departures[id, default: []].append(feed) }
            return running
        }
        if running.isEmpty { feed.finish() }
        for ending in running { ending.trip(reason) }
        return departure
    }

    private func carryOut(
        _ oneOff: OneOffRecord, _ key: DeploymentKey, _ session: OneOffSession
    ) async throws(PlatformError) -> OneOffResult {
        defer { self.forget(key) }
        let workload = oneOff.workload
        let result: Result<OneOffResult, PlatformError>
        do {
            let exit = try await oneOff.ending.guarding {
                try await self.runtime.runOneOff(workload, timeout: oneOff.timeout, session: session)
            }
            result = .success(OneOffResult(name: workload.name, status: exit.status, end: exit.description))
        } catch let error as PlatformError where error.code != .cancelled {
            result = .failure(error)
        } catch let error as CancellationSwitch.Tripped {
            result = .failure(PlatformError(.cancelled, "\(error.reason); the command was ended"))
        } catch {
            result = .failure(
                PlatformError(.cancelled, "the client went away; the command was ended", cause: error))
        }
        let end =
            switch result {
            case .success(let result): "Ended: \(result.end ?? "")"
            case .failure(let error): "Failed: \(error)"
            }
        self.log(oneOff.sink.finish() + [end], of: workload.name, workload.applicationID)
        return try result.get()
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

    private func log(_ lines: [String], of process: String, _ applicationID: String) {
        guard !lines.isEmpty else { return }
        self.append(lines, process: process, to: applicationID)
    }

    func oneOffRequest(
        _ plan: LaunchPlan, processType: String, number: Int, command: WorkloadRequest.Command, size: InstanceSize
    ) -> WorkloadRequest {
        let name = "\(processType).\(number)"
        return WorkloadRequest(
            applicationID: plan.release.applicationID, processType: processType, number: number,
            release: plan.release.version, serial: number, slug: plan.release.slug, command: command,
            environment: plan.environment.merging(["SLIPWAY_PROCESS": name]) { $1 }, life: LifeRecord(),
            needsPort: false,
            stopGrace: self.configuration.stopGrace, size: size, user: plan.user,
            storage: plan.storage.path.string)
    }
}
