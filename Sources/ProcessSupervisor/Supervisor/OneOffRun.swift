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
    var output: @Sendable ([UInt8]) -> Void
    var input: AsyncStream<[UInt8]>?
    var control: OneOffControl
    var surroundings: InstanceSurroundings

    func run() async throws(SupervisorError) -> ExitStatus {
        let startID = self.surroundings.randomness.identifier()
        var record = InstanceRecord(
            spec: self.spec, isOneOff: true, phase: .starting, startID: startID, bootID: self.surroundings.bootID,
            startedAt: Timestamp.now.date)
        try await self.save(record)
        let reader: Descriptor
        let writer: Handover?
        let process: LaunchedProcess
        do throws(SupervisorError) {
            let out = try Descriptor.pipe(nonBlocking: .readable)
            let stdin = try self.input == nil ? nil : Descriptor.pipe(nonBlocking: .writable)
            var environment = self.spec.process
            environment.environment[LaunchRequest.markerVariable] = startID
            process = try await self.surroundings.launcher.launch(
                LaunchRequest(
                    id: self.spec.id, startID: startID, process: environment,
                    output: .descriptor(out.write.file), input: stdin?.read.file))
            // Our copies of the process's ends are closed here, not before.
            withExtendedLifetime((out, stdin)) {}
            (reader, writer) = (out.read, stdin.map { Handover($0.write) })
        } catch {
            await self.forget()
            throw error
        }
        record.phase = .running
        record.pid = process.pid
        record.startTime = process.startTime
        // Without the number, the mark leads to it as well.
        try? await self.save(record)

        let ending = await self.supervise(process, reader: reader, writer: writer)
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

    /// Keeps the pipe of the standard input until its writer takes it: closed with the last who has it, it must be had
    /// by nobody else, for its end is the end of the input.
    private final class Handover: Sendable {
        private let descriptor: Mutex<Descriptor?>
        init(_ descriptor: Descriptor) { self.descriptor = Mutex(descriptor) }
        func take() -> Descriptor? {
            self.descriptor.withLock { descriptor in
                defer { descriptor = nil }
                return descriptor
            }
        }
    }

    private enum Happening: Sendable { case exited(ExitStatus), asked(OneOffControl.Reason?), other }

    private func supervise(
        _ process: LaunchedProcess, reader: Descriptor, writer: Handover?
    ) async -> (status: ExitStatus, reason: OneOffControl.Reason) {
        let reading = Task { await self.read(reader) }
        let (status, reason) = await withTaskGroup(of: Happening.self) { group in
            let handle = process.handle
            let clock = self.surroundings.clock
            group.addTask { .exited(await handle.waitForExit()) }
            group.addTask { .asked(await self.control.untilAsked()) }
            if let timeout {
                group.addTask {
                    if (try? await clock.sleep(for: timeout)) != nil { self.control.end(.timedOut) }
                    return .other
                }
            }
            if let writer, let input {
                group.addTask {
                    if let end = writer.take() { await Self.write(input, to: end) }
                    return .other
                }
            }
            var reason = OneOffControl.Reason.finished
            for await happening in group {
                switch happening {
                case .exited(let status):
                    group.cancelAll()
                    return (status, reason)
                case .asked(let asked):
                    reason = asked ?? reason
                    group.addTask {
                        await handle.signal(SIGTERM)
                        if (try? await clock.sleep(for: self.surroundings.configuration.oneOffGrace)) != nil {
                            await handle.killTree()
                        }
                        return .other
                    }
                case .other:
                    break
                }
            }
            return (.unknown, reason)
        }
        if reason == .finished {
            // Others may still have to say something; a daemon would hold the pipe open for ever.
            await self.firstOf {
                await reading.value
            } or: {
                try? await self.surroundings.clock.sleep(for: self.surroundings.configuration.oneOffDrain)
            }
        }
        await process.handle.killTree()
        reading.cancel()
        await reading.value
        // Bounded: what a pipe holds, and nothing that somebody who got away goes on writing.
        for _ in 0..<64 {
            guard let bytes = try? readAvailable(reader, limit: 65536), !bytes.isEmpty else { break }
            self.output(bytes)
        }
        return (status, reason)
    }

    private func firstOf(
        _ one: @escaping @Sendable () async -> Void, or other: @escaping @Sendable () async -> Void
    ) async {
        await withTaskGroup(of: Void.self) { group in
            let first = Promise<Void>()
            // `reading.value` cannot be cancelled, so the loser is not waited for here but by the caller.
            Task {
                await one()
                first.fulfil(.success(()))
            }
            group.addTask { _ = try? await first.value() }
            group.addTask { await other() }
            await group.next()
            group.cancelAll()
        }
    }

    /// Reads until the end of the pipe, or until cancelled.
    private func read(_ reader: Descriptor) async {
        while !Task.isCancelled {
            guard let bytes = try? readAvailable(reader, limit: 65536) else { return }
            if bytes.isEmpty {
                await reader.wait(for: .readable)
            } else {
                self.output(bytes)
                await Task.yield()
            }
        }
    }

    private static func write(_ input: AsyncStream<[UInt8]>, to writer: Descriptor) async {
        for await bytes in input {
            var rest = bytes[...]
            while !rest.isEmpty, !Task.isCancelled {
                let count = rest.withUnsafeBytes { slipway_write(writer.rawValue, $0.baseAddress, $0.count) }
                if count >= 0 {
                    rest = rest.dropFirst(count)
                } else if errno == EAGAIN || errno == EINTR {
                    await writer.wait(for: .writable)
                } else {
                    return  // nobody reads any more
                }
            }
        }
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
