import CProcessLauncher
import Logging
import SystemPackage

extension InstanceRun {
    // MARK: Spawning

    func spawn() async {
        do throws(SupervisorError) {
            let port = try self.takePort()
            self.port = port
            self.startID = self.surroundings.randomness.identifier()
            self.isAdopted = false
            self.startedAt = .now
            // On disk before there is anything to find.
            try await self.save(phase: .starting)
            let fifo = try self.surroundings.records.makeFIFO(.output, for: self.spec.id)
            self.openOutput(fifo)
            let notification = try self.makeNotification()
            // The process has its own by then.
            defer { try? notification?.descriptor.close() }
            let request = LaunchRequest(
                id: self.spec.id, startID: self.startID, process: self.processSpec(startID: self.startID),
                output: .fifo(fifo), notification: notification)
            let process = try await self.surroundings.launcher.launch(request)
            self.take(process)
            self.pending.append(.spawned(pid: process.pid, port: port))
        } catch {
            await self.closeOutput()
            self.releasePort()
            self.launchError = error
            self.pending.append(.spawnFailed(error.description))
        }
    }

    func processSpec(startID: String) -> ProcessSpec {
        var process = self.spec.process
        if let port { process.environment["PORT"] = String(port) }
        process.environment[LaunchRequest.markerVariable] = startID
        return process
    }

    func take(_ process: LaunchedProcess) {
        self.process = process
        let driver = self.driver
        driver.watch(process.handle, startID: self.startID)
        if let handle = process.handle as? any ExitWatching {
            self.jobs.watch(.exit) { token in handle.exitWatch { driver.send(.ended(by: token)) } }
        } else {
            self.jobs.start(.exit) { token in
                let status = await process.handle.waitForExit()
                if !Task.isCancelled { driver.send(.found(.exited(status), by: token)) }
            }
        }
    }

    func startOnProcess(
        _ job: Job, finding event: InstanceMachine.Event? = nil,
        _ body: @escaping @Sendable (any ProcessHandle) async -> Void
    ) {
        guard let handle = self.process?.handle else { return }
        let driver = self.driver
        self.jobs.start(job) { token in
            await body(handle)
            if let event, !Task.isCancelled { driver.send(.found(event, by: token)) }
        }
    }

    func release() async {
        for job in [Job.exit, .tree, .kill, .signal, .command(.postStart), .command(.preStop)] {
            await self.jobs.take(job)?.end()
        }
        self.notification = nil
        self.driver.watch(nil, startID: self.startID)
        self.process?.handle.release()
        self.process = nil
        self.releasePort()
    }

    // MARK: Ports

    private func takePort() throws(SupervisorError) -> Int? {
        let isAlone = self.surroundings.launcher.givesAddresses
        switch self.spec.port {
        case nil: return nil
        case .fixed(let port) where isAlone: return port
        case .allocate where isAlone: return self.surroundings.configuration.portRange.lowerBound
        case .fixed(let port):
            // Who else listens there would get this instance's requests, and answer its probes.
            guard slipway_port_is_free(UInt16(port)) != 0 else {
                throw SupervisorError(
                    code: .portUnavailable,
                    message: "port \(port) is taken by another program; end that, or choose another port")
            }
            self.surroundings.ports.withAllocator { $0.reserve(port) }
            return port
        case .allocate:
            var randomness = self.surroundings.randomness
            let port = self.surroundings.ports.withAllocator { allocator in
                allocator.allocate(using: &randomness) { port in
                    UInt16(exactly: port).map { $0 > 0 && slipway_port_is_free($0) != 0 } ?? false
                }
            }
            guard let port else {
                let range = self.surroundings.configuration.portRange
                throw SupervisorError(
                    code: .portUnavailable,
                    message: "no port from \(range.lowerBound) to \(range.upperBound) is free; widen portRange")
            }
            return port
        }
    }

    private func releasePort() {
        if let port { self.surroundings.ports.withAllocator { $0.release(port) } }
        self.port = nil
    }

    // MARK: Records

    func record() async {
        guard let phase = self.machine.recordedPhase else { return }
        do throws(SupervisorError) {
            try await self.save(phase: phase)
        } catch {
            // The instance runs on; the marker still leads the next host to it.
            self.surroundings.logger.error(
                "cannot record an instance",
                metadata: ["instance": "\(self.spec.id)", "error": "\(error)"])
        }
    }

    private func save(phase: InstanceRecord.Phase) async throws(SupervisorError) {
        // Until the machine has heard of a process, what it knows is about the one before.
        let isKnown = self.process != nil && self.machine.state != .spawning
        let record = InstanceRecord(
            spec: self.spec, phase: phase, startID: self.startID, bootID: self.surroundings.bootID,
            pid: self.process?.pid, startTime: self.process?.startTime, port: self.port,
            startedAt: self.startedAt.date, restarts: self.machine.restarts, attempts: self.machine.attempts,
            wasReady: isKnown && self.machine.wasReady,
            hasStartedUp: isKnown && self.machine.hasStartedUp, lastExit: self.machine.lastExit,
            lastEnd: self.machine.lastEnd)
        let records = self.surroundings.records
        try await blocking { () throws(SupervisorError) in try records.save(record) }
    }

    func forget() async {
        let records = self.surroundings.records
        let id = self.spec.id
        try? await blocking { () throws(SupervisorError) in records.remove(id) }
    }
}
