import CProcessLauncher
import Synchronization
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Asks a one-off to end, and tells when it has.
final class OneOffControl: Sendable {
    enum Reason: Sendable { case cancelled, timedOut, finished }
    private let reason = Promise<Reason>()
    private let end = Promise<Void>()

    func end(_ reason: Reason) { self.reason.fulfil(.success(reason)) }
    /// The first reason; nil when the waiting task is cancelled.
    func untilAsked() async -> Reason? { try? await self.reason.value() }

    func hasEnded() { self.end.fulfil(.success(())) }
    func ended() async {
        // Shielded from the cancellation of a host that is on its way out.
        await Task { _ = try? await self.end.value() }.value
    }
}

/// One one-off, from its start to the last byte of its output.
struct OneOffRun: Sendable {
    var spec: InstanceSpec
    var timeout: Duration?
    var terminal: OneOffTerminal?
    var output: OneOffOutput.Delivery
    var input: AsyncStream<[UInt8]>?
    var control: OneOffControl
    var surroundings: InstanceSurroundings

    func run() async throws(SupervisorError) -> ExitStatus {
        let startID = self.surroundings.randomness.identifier()
        var record = InstanceRecord(
            spec: self.spec, isOneOff: true, phase: .starting, startID: startID, bootID: self.surroundings.bootID,
            startedAt: Timestamp.now.date)
        try await self.save(record)
        let ends: OneOffEnds
        let process: LaunchedProcess
        do throws(SupervisorError) {
            let opened = try self.open()
            var environment = self.spec.process
            environment.environment[LaunchRequest.markerVariable] = startID
            process = try await self.surroundings.launcher.launch(
                LaunchRequest(
                    id: self.spec.id, startID: startID, process: environment,
                    output: .descriptor(opened.process.output.file), input: opened.process.input?.file,
                    hasTerminal: self.terminal != nil))
            // Our copies of the process's ends are closed here, not before.
            withExtendedLifetime(opened.process) {}
            ends = opened.own
        } catch {
            await self.forget()
            throw error
        }
        record.phase = .running
        record.pid = process.pid
        record.startTime = process.startTime
        // Without the number, the mark leads to it as well.
        try? await self.save(record)

        let ending = await self.supervise(process, ends)
        process.handle.release()
        await self.forget()
        switch ending.reason {
        case .finished: return ending.status
        case .cancelled:
            throw SupervisorError(code: .cancelled, message: "\(self.spec.id) was cancelled", exit: ending.status)
        case .timedOut:
            throw SupervisorError(
                code: .timedOut,
                message: "\(self.spec.id) did not end within \(self.timeout?.inSeconds ?? "its time") (timeout)",
                exit: ending.status)
        }
    }

    private func open() throws(SupervisorError) -> (own: OneOffEnds, process: (input: Descriptor?, output: Descriptor))
    {
        if let terminal {
            let ends = try Descriptor.terminal(terminal.size)
            return (OneOffEnds(reader: ends.own, writer: ends.own), (ends.program, ends.program))
        }
        let out = try Descriptor.pipe(nonBlocking: .readable)
        let stdin = try self.input == nil ? nil : Descriptor.pipe(nonBlocking: .writable)
        return (OneOffEnds(reader: out.read, writer: stdin?.write), (stdin?.read, out.write))
    }

    private enum Happening: Sendable {
        case exited(ExitStatus), delivered(Bool), asked(OneOffControl.Reason?), other
    }

    private func supervise(
        _ process: LaunchedProcess, _ ends: OneOffEnds
    ) async -> (status: ExitStatus, reason: OneOffControl.Reason) {
        let handle = process.handle
        let clock = self.surroundings.clock
        let configuration = self.surroundings.configuration
        let output = OneOffOutput(ends.reader, deliver: self.output)
        let ending = await withTaskGroup(of: Happening.self) { group in
            group.addTask { .exited(await handle.waitForExit()) }
            group.addTask { .delivered(await output.run()) }
            group.addTask { .asked(await self.control.untilAsked()) }
            self.attend(ends, in: &group)
            var status: ExitStatus?
            var isDelivered = false
            var reason = OneOffControl.Reason.finished
            while status == nil || !isDelivered, let happening = await group.next() {
                switch happening {
                case .exited(let exit):
                    status = exit
                    group.addTask {
                        // Others may still have to say something; a daemon would hold the pipe open for ever.
                        guard (try? await clock.sleep(for: configuration.oneOffDrain)) != nil else { return .other }
                        await handle.killTree()
                        output.finish()
                        return .other
                    }
                case .delivered(let isComplete):
                    isDelivered = true
                    // Whoever does not take its output does not want it to go on, either.
                    if !isComplete, status == nil { self.control.end(.cancelled) }
                case .asked(let asked):
                    guard let asked else { continue }
                    // The program has ended: there is nothing to end but the delivery.
                    if status != nil { output.abandon() } else { reason = asked }
                    group.addTask {
                        await handle.signal(SIGTERM)
                        guard (try? await clock.sleep(for: configuration.oneOffGrace)) != nil else { return .other }
                        await handle.killTree()
                        output.finish()
                        guard (try? await clock.sleep(for: configuration.oneOffDrain)) != nil else { return .other }
                        output.abandon()
                        return .other
                    }
                case .other:
                    break
                }
            }
            group.cancelAll()
            return (status ?? .unknown, reason)
        }
        await handle.killTree()
        return ending
    }

    /// What goes on beside: its time, its input, the size of its terminal.
    private func attend(_ ends: OneOffEnds, in group: inout TaskGroup<Happening>) {
        let clock = self.surroundings.clock
        if let timeout {
            group.addTask {
                if (try? await clock.sleep(for: timeout)) != nil { self.control.end(.timedOut) }
                return .other
            }
        }
        if let input {
            group.addTask {
                if let writer = ends.takeWriter() {
                    await Self.write(input, to: writer)
                    // A terminal has no end but what says so: Ctrl-D.
                    if self.terminal != nil { await Self.write([4], to: writer) }
                }
                return .other
            }
        }
        if let resizes = self.terminal?.resizes {
            group.addTask {
                for await size in resizes {
                    _ = slipway_resize_terminal(ends.reader.rawValue, size.columns, size.rows)
                }
                return .other
            }
        }
    }

    private static func write(_ input: AsyncStream<[UInt8]>, to writer: Descriptor) async {
        for await bytes in input where await !Self.write(bytes, to: writer) { return }
    }

    /// Returns whether somebody still reads.
    @discardableResult
    private static func write(_ bytes: [UInt8], to writer: Descriptor) async -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            if Task.isCancelled { return false }
            let count = rest.withUnsafeBytes { slipway_write(writer.rawValue, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN || errno == EINTR {
                await writer.wait(for: .writable)
            } else {
                return false
            }
        }
        return true
    }

    private func save(_ record: InstanceRecord) async throws(SupervisorError) {
        let records = self.surroundings.records
        try await blocking { () throws(SupervisorError) in try records.save(record) }
    }

    private func forget() async {
        let records = self.surroundings.records
        let id = self.spec.id
        try? await blocking { () throws(SupervisorError) in records.remove(id) }
    }
}

/// This side of a one-off's input and output.
private final class OneOffEnds: Sendable {
    let reader: Descriptor
    private let writer: Mutex<Descriptor?>

    init(reader: Descriptor, writer: Descriptor?) {
        self.reader = reader
        self.writer = Mutex(writer)
    }

    /// The pipe of the standard input is closed with the last who has it: that is the end of the input, so it must be had
    /// by nobody but its writer.
    func takeWriter() -> Descriptor? {
        self.writer.withLock { writer in
            defer { writer = nil }
            return writer
        }
    }
}

extension Descriptor {
    /// A new terminal. Our end does not block; the program's does, as programs expect.
    fileprivate static func terminal(
        _ size: TerminalSize
    ) throws(SupervisorError) -> (own: Descriptor, program: Descriptor) {
        var ends: [Int32] = [-1, -1]
        let error = slipway_open_terminal(&ends, size.columns, size.rows)
        guard error == 0 else {
            throw SupervisorError(
                code: .launchFailed,
                message: "cannot open a terminal: \(describe(errno: error)) (is /dev/ptmx there, and not all in use?)")
        }
        return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
    }
}
