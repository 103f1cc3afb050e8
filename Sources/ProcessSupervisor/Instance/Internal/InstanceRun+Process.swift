import CProcessLauncher
import Logging
import SystemPackage

extension InstanceRun {
    // MARK: Spawning

    mutating func spawn() async {
        do throws(SupervisorError) {
            let port = try self.takePort()
            self.port = port
            self.startID = self.surroundings.randomness.identifier()
            self.isAdopted = false
            self.startedAt = .now
            // On disk before there is anything to find.
            try await self.save(phase: .starting)
            let fifo = try self.surroundings.records.makeFIFO(for: self.spec.id)
            self.openOutput(fifo)
            let request = LaunchRequest(
                id: self.spec.id, startID: self.startID, process: self.processSpec(startID: self.startID),
                output: .fifo(fifo))
            let process = try await self.surroundings.launcher.launch(request)
            self.take(process)
            await self.record()
            self.pending.append(.spawned(pid: process.pid, port: port))
        } catch {
            await self.closeOutput()
            self.releasePort()
            self.pending.append(.spawnFailed(error.description))
        }
    }

    private func processSpec(startID: String) -> ProcessSpec {
        var process = self.spec.process
        if let port { process.environment["PORT"] = String(port) }
        process.environment[LaunchRequest.markerVariable] = startID
        return process
    }

    mutating func take(_ process: LaunchedProcess) {
        self.process = process
        let driver = self.driver
        driver.watch(process.handle, startID: self.startID)
        self.jobs.start(.exit) { token in
            let status = await process.handle.waitForExit()
            if !Task.isCancelled { driver.send(.found(.exited(status), by: token)) }
        }
    }

    mutating func startOnProcess(
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

    mutating func release() async {
        for job in [Job.exit, .tree, .kill, .signal] { await self.jobs.finish(job) }
        self.driver.watch(nil, startID: self.startID)
        self.process?.handle.release()
        self.process = nil
        self.releasePort()
    }

    // MARK: Ports

    private func takePort() throws(SupervisorError) -> Int? {
        switch self.spec.port {
        case nil: return nil
        case .fixed(let port):
            self.surroundings.ports.withAllocator { $0.reserve(port) }
            return port
        case .allocate:
            var randomness = self.surroundings.randomness
            let port = self.surroundings.ports.withAllocator { allocator in
                allocator.allocate(using: &randomness) { slipway_port_is_free(UInt16($0)) != 0 }
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

    private mutating func releasePort() {
        if let port { self.surroundings.ports.withAllocator { $0.release(port) } }
        self.port = nil
    }

    // MARK: Records

    mutating func record() async {
        guard let phase = self.machine.recordedPhase else { return }
        // The machine hears of a spawned process after the record does.
        let actual = phase == .starting && self.process != nil ? .running : phase
        do throws(SupervisorError) {
            try await self.save(phase: actual)
        } catch {
            // The instance runs on; the marker still leads the next host to it.
            self.surroundings.logger.error(
                "cannot record an instance",
                metadata: ["instance": "\(self.spec.id)", "error": "\(error)"])
        }
    }

    private func save(phase: InstanceRecord.Phase) async throws(SupervisorError) {
        let record = InstanceRecord(
            spec: self.spec, phase: phase, startID: self.startID, bootID: self.surroundings.bootID,
            pid: self.process?.pid, startTime: self.process?.startTime, port: self.port,
            startedAt: self.startedAt.date, restarts: self.machine.restarts, attempts: self.machine.attempts,
            wasReady: self.machine.wasReady && self.process != nil)
        let records = self.surroundings.records
        try await blocking { () throws(SupervisorError) in try records.save(record) }
    }

    func forget() async {
        let records = self.surroundings.records
        let id = self.spec.id
        try? await blocking { () throws(SupervisorError) in records.remove(id) }
    }

    // MARK: Output

    mutating func openOutput(_ path: FilePath) {
        // For writing too: without a writer of our own, the end of the last one would be an end of file for ever.
        guard let file = try? FileDescriptor.open(path, .readWrite, options: [.nonBlocking, .closeOnExec]) else {
            self.surroundings.logger.error(
                "cannot open an instance's output", metadata: ["instance": "\(self.spec.id)", "path": "\(path)"])
            return
        }
        let driver = self.driver
        let configuration = self.surroundings.configuration
        let pump = OutputPump(
            source: Descriptor(owning: file.rawValue), lineLimit: configuration.lineLimit,
            flushAfter: configuration.partialLineDelay, clock: self.surroundings.clock
        ) { lines in driver.receive(lines, at: .now) }
        self.pump = pump
        self.jobs.start(.output) { _ in await pump.run() }
    }

    mutating func closeOutput() async {
        await self.jobs.finish(.output)
        self.pump?.finish()
        self.pump = nil
    }

    // MARK: Time and probes

    mutating func schedule(_ timer: InstanceMachine.Timer, _ duration: Duration) {
        let driver = self.driver
        let clock = self.surroundings.clock
        self.jobs.start(.timer(timer)) { token in
            guard (try? await clock.sleep(for: duration)) != nil else { return }
            driver.send(.found(.timer(timer), by: token))
        }
    }

    mutating func startProbing(_ role: InstanceMachine.Role, booting: Bool) {
        guard let probe = role == .readiness ? self.spec.readiness : self.spec.liveness else { return }
        let driver = self.driver
        let clock = self.surroundings.clock
        let prober = Prober(probe: probe, port: self.port, clock: clock, runCommand: self.commandRunner())
        let longest = booting ? min(probe.bootInterval, probe.interval) : probe.interval
        self.jobs.start(.probing(role)) { token in
            // While it boots, ask at once and then less and less often, so that who boots in milliseconds is ready in
            // milliseconds; an instance that was just found ready has time.
            var pause = booting ? min(.milliseconds(10), longest) : longest
            if !booting, (try? await clock.sleep(for: pause)) == nil { return }
            while !Task.isCancelled {
                let report = await prober.ask()
                if Task.isCancelled { return }
                driver.send(.found(.probed(role, report), by: token))
                if (try? await clock.sleep(for: pause)) == nil { return }
                pause = min(pause * 2, longest)
            }
        }
    }

    /// Runs a probe's command beside the instance, marked as its own so that it is ended with it.
    private func commandRunner() -> @Sendable ([String]) async throws(SupervisorError) -> ExitStatus {
        let surroundings = self.surroundings
        let startID = self.startID
        let process = self.processSpec(startID: startID)
        let id = self.spec.id
        return { (arguments) async throws(SupervisorError) -> ExitStatus in
            let mark = "\(startID).\(surroundings.randomness.identifier())"
            var process = process
            process.arguments = arguments
            process.environment[LaunchRequest.markerVariable] = mark
            let launched = try await surroundings.launcher.launch(
                LaunchRequest(id: id, startID: mark, process: process, output: .discard))
            let status = await launched.handle.waitForExit()
            await launched.handle.killTree()
            launched.handle.release()
            return status
        }
    }
}
