import SystemPackage

/// Timers, probes, and the commands that are run for an instance.
extension InstanceRun {
    func schedule(_ timer: InstanceMachine.Timer, _ duration: Duration) {
        let driver = self.driver
        let clock = self.surroundings.clock
        self.jobs.start(.timer(timer)) { token in
            guard (try? await clock.sleep(for: duration)) != nil else { return }
            driver.send(.found(.timer(timer), by: token))
        }
    }

    // MARK: Probes

    func startProbing(_ role: InstanceMachine.Role, booting: Bool) {
        let probe: Probe?
        switch role {
        case .readiness: probe = self.spec.readiness
        case .liveness: probe = self.spec.liveness
        case .startup:
            switch self.spec.startup {
            case .probe(let startup): probe = startup
            case .notification(let number): return self.awaitNotification(number)
            case nil: return
            }
        }
        if let probe { self.ask(probe, role, booting: booting) }
    }

    private func ask(_ probe: Probe, _ role: InstanceMachine.Role, booting: Bool) {
        let driver = self.driver
        let clock = self.surroundings.clock
        let commands = self.commandRunner(output: .discard)
        let prober = Prober(probe: probe, host: self.process?.host, port: self.port, clock: clock) {
            (arguments) async throws(SupervisorError) -> ExitStatus in try await commands(arguments)
        }
        let longest = booting ? min(probe.bootInterval, probe.interval) : probe.interval
        self.jobs.start(.probing(role)) { token in
            // While it boots, ask at once and then less and less often, so that who boots in milliseconds is ready in
            // milliseconds; an instance that was just found ready has time.
            var pause = booting ? min(.milliseconds(10), longest) : longest
            let delay = booting ? probe.initialDelay : role == .liveness ? max(longest, probe.initialDelay) : longest
            if delay > .zero, (try? await clock.sleep(for: delay)) == nil { return }
            while !Task.isCancelled {
                let report = await prober.ask()
                if Task.isCancelled { return }
                driver.send(.found(.probed(role, report), by: token))
                if (try? await clock.sleep(for: pause)) == nil { return }
                pause = min(pause * 2, longest)
            }
        }
    }

    // MARK: Notification

    /// The reading end of a fresh FIFO, and the end that is for the process. A FIFO, so that the next host finds it.
    func makeNotification() throws(SupervisorError) -> LaunchRequest.Notification? {
        self.notification = nil
        guard case .notification(let number) = self.spec.startup else { return nil }
        let path = try self.surroundings.records.makeFIFO(.notification, for: self.spec.id)
        do {
            self.notification = Descriptor(
                owning: try FileDescriptor.open(path, .readOnly, options: [.nonBlocking, .closeOnExec]).rawValue)
            // For reading as well: a reader of its own keeps SIGPIPE away while there is no host.
            return .init(
                descriptor: try FileDescriptor.open(path, .readWrite, options: [.closeOnExec]), number: number)
        } catch {
            throw SupervisorError(code: .stateDirectory, message: "cannot open the FIFO \(path)", cause: error)
        }
    }

    /// Of a process that was taken over: nil when nobody has the FIFO any more, and it has told what it had to.
    func openNotification(of record: InstanceRecord) -> Descriptor? {
        guard case .notification = self.spec.startup, !record.wasReady else { return nil }
        let path = self.surroundings.records.path(of: .notification, self.spec.id)
        guard let probe = try? FileDescriptor.open(path, .writeOnly, options: [.nonBlocking, .closeOnExec]) else {
            return nil
        }
        defer { try? probe.close() }
        let reader = try? FileDescriptor.open(path, .readOnly, options: [.nonBlocking, .closeOnExec])
        return reader.map { Descriptor(owning: $0.rawValue) }
    }

    /// Bytes that are read in wait of a line end. Whoever writes on finds the pipe full.
    private static let longestNotification = 65536

    private func awaitNotification(_ number: Int32) {
        let (driver, source) = (self.driver, self.notification)
        self.jobs.start(.probing(.startup)) { token in
            if let report = await Self.readNotification(source, number) {
                driver.send(.found(.probed(.startup, report), by: token))
            }
        }
    }

    /// What came; nil when the calling task is cancelled.
    private static func readNotification(_ source: Descriptor?, _ number: Int32) async -> ProbeReport? {
        let good = ProbeReport(succeeded: true, detail: "it told so through descriptor \(number)")
        guard let source else { return good }
        var rest = Self.longestNotification
        while !Task.isCancelled {
            guard let bytes = try? readAvailable(source, limit: 4096) else {
                return ProbeReport(succeeded: false, detail: "descriptor \(number) was closed without a line end")
            }
            if bytes.contains(UInt8(ascii: "\n")) { return good }
            if bytes.isEmpty { await source.wait(for: .readable) }
            rest -= bytes.count
            if rest < 0 {
                return ProbeReport(succeeded: false, detail: "descriptor \(number) brought no line end, but a flood")
            }
        }
        return nil
    }

    // MARK: Commands

    func run(_ moment: LifecycleCommand.Moment) {
        guard let command = moment == .postStart ? self.spec.postStart : self.spec.preStop else { return }
        let driver = self.driver
        let clock = self.surroundings.clock
        let commands = self.commandRunner(output: .fifo(self.surroundings.records.path(of: .output, self.spec.id)))
        self.jobs.start(.command(moment)) { token in
            let failure = await Self.failure(of: command, clock: clock, commands)
            if !Task.isCancelled { driver.send(.found(.ran(moment, failure: failure), by: token)) }
        }
    }

    private static func failure(
        of command: LifecycleCommand, clock: any Clock<Duration>,
        _ run: @escaping @Sendable ([String]) async throws(SupervisorError) -> ExitStatus
    ) async -> String? {
        let name = command.arguments.joined(separator: " ").prefix(200)
        return await withTaskGroup(of: String?.self) { group in
            group.addTask {
                do throws(SupervisorError) {
                    let status = try await run(command.arguments)
                    return status == .exited(0) ? nil : "\(name): \(status)"
                } catch {
                    return error.message
                }
            }
            group.addTask {
                try? await clock.sleep(for: command.timeout)
                return "\(name): did not end within \(command.timeout.inSeconds)"
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }

    /// Runs a command beside the instance, marked as its own so that it is ended with it.
    private func commandRunner(
        output: LaunchRequest.Output
    ) -> @Sendable ([String]) async throws(SupervisorError) -> ExitStatus {
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
                LaunchRequest(id: id, startID: mark, process: process, output: output))
            let status = await launched.handle.waitForExit()
            await launched.handle.killTree()
            launched.handle.release()
            return status
        }
    }
}
