import Logging
import ProcessSupervisorTesting
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import ProcessSupervisor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What an operator sees of limits, with real control groups.
@Suite(.serialized, .timeLimit(.minutes(1)), .enabled(if: TestGroups.areUsable, "no control groups can be made here"))
struct LimitTests {
    @Test func `a kill for memory is told in the event, the status and the error`() async throws {
        try await withTemporaryDirectory { directory in
            try await TestGroups.with { name in
                let launcher = HostLauncher(groups: try ControlGroups.open(named: name))
                try await withSupervisor(in: directory, launcher: launcher) { supervisor in
                    let events = supervisor.events()
                    var spec = InstanceSpec.shell(
                        "a", "echo eating; exec tail /dev/zero", in: directory, port: .allocate, readiness: .tcp)
                    spec.process.limits = ResourceLimits(memoryBytes: 48 << 20)
                    _ = try await supervisor.start(spec)
                    let error = await #expect(throws: SupervisorError.self) { try await supervisor.waitUntilReady("a") }
                    #expect(error?.message.contains("out of memory: 48 MB limit, 48 MB at the time") == true)
                    #expect(error?.lastLines == ["eating"])
                    let end = await first(events) { if case .exited = $0 { true } else { false } }
                    guard case .exited(.outOfMemory(let excess), _) = end?.kind else {
                        Issue.record("\(String(describing: end))")
                        return
                    }
                    #expect(excess.limitBytes == 48 << 20)
                    #expect(supervisor.status(of: "a")?.lastExit == .outOfMemory(excess))
                }
            }
        }
    }

    @Test func `memory beyond the soft limit is told once`() async throws {
        try await withTemporaryDirectory { directory in
            try await TestGroups.with { name in
                let launcher = HostLauncher(groups: try ControlGroups.open(named: name))
                try await withSupervisor(
                    in: directory, launcher: launcher, configure: { $0.usageInterval = .milliseconds(10) }
                ) { supervisor in
                    let events = supervisor.events()
                    var spec = InstanceSpec.shell(
                        "a", "(head -c 20000000 /dev/zero; exec sleep 1000) | tail", in: directory)
                    spec.process.limits = ResourceLimits(memoryBytes: 64 << 20, softMemoryBytes: 16 << 20)
                    _ = try await supervisor.start(spec)
                    let event = await first(events) { if case .memoryHigh = $0 { true } else { false } }
                    guard case .memoryHigh(let used, let soft) = event?.kind else {
                        Issue.record("\(String(describing: event))")
                        return
                    }
                    #expect(used >= soft && used < 64 << 20)
                    #expect(soft == 16 << 20)
                    #expect((supervisor.usage(of: "a")?.memoryBytes ?? 0) >= 16 << 20)
                    #expect(supervisor.status(of: "a")?.usage?.memoryBytes != nil)
                    #expect(supervisor.status(of: "a")?.state == .ready)
                }
            }
        }
    }

    @Test func `an instance that has lost a process to its limit is ended as a whole`() async throws {
        try await withTemporaryDirectory { directory in
            try await TestGroups.with { name in
                let launcher = HostLauncher(groups: try ControlGroups.open(named: name))
                try await withSupervisor(
                    in: directory, launcher: launcher, configure: { $0.usageInterval = .milliseconds(10) }
                ) { supervisor in
                    let events = supervisor.events()
                    var spec = InstanceSpec.shell(
                        "a", "trap '' TERM; tail /dev/zero; while :; do sleep 0.02; done", in: directory)
                    spec.process.limits = ResourceLimits(memoryBytes: 48 << 20)
                    _ = try await supervisor.start(spec)
                    let end = await first(events) { if case .exited = $0 { true } else { false } }
                    guard case .exited(.outOfMemory, _) = end?.kind else {
                        Issue.record("\(String(describing: end))")
                        return
                    }
                }
            }
        }
    }

    @Test func `the next host ends what nobody recorded, and finds the groups of what it takes over`() async throws {
        try await withTemporaryDirectory { directory in
            try await TestGroups.with { name in
                let former = HostLauncher(groups: try ControlGroups.open(named: name))
                let before = try await withSupervisor(in: directory, launcher: former, onShutdown: .leaveRunning) {
                    var spec = InstanceSpec.shell("a", "exec sleep 1000", in: directory)
                    spec.process.limits = ResourceLimits(maxProcesses: 7)
                    return try await $0.start(spec)
                }
                let orphan = try await former.launch(
                    LaunchRequest(
                        id: "b", startID: "orphan", process: .shell("exec sleep 1000", in: directory), output: .discard)
                )
                let next = HostLauncher(groups: try ControlGroups.open(named: name))
                #expect(next.groups?.startIDs().count == 2)
                try await withSupervisor(in: directory, launcher: next) { supervisor in
                    #expect(supervisor.status(of: "a")?.pid == before.pid)
                    #expect(supervisor.usage(of: "a")?.processes == 1)
                    #expect(next.groups?.startIDs().count == 1)
                    let status = await orphan.handle.waitForExit()
                    #expect(status == .signalled(9))
                    orphan.handle.release()
                }
                #expect(next.groups?.startIDs() == [])
            }
        }
    }

    @Test func `the quota of processors is in force`() async throws {
        try await withTemporaryDirectory { directory in
            try await TestGroups.with { name in
                let groups = try ControlGroups.open(named: name)
                let place = try #require(groups.place(of: .cpu))
                let group = try #require(
                    try groups.make(for: "x", limits: ResourceLimits(cpuShare: 200, cpuQuota: 0.25)))
                let path = "\(place.parent)/x/"
                switch place.version {
                case .one:
                    #expect(GroupFiles.read(path + "cpu.shares") == "2048\n")
                    #expect(GroupFiles.read(path + "cpu.cfs_quota_us") == "25000\n")
                case .two:
                    #expect(GroupFiles.read(path + "cpu.weight") == "200\n")
                    #expect(GroupFiles.read(path + "cpu.max") == "25000 100000\n")
                }
                group.retire()
            }
        }
    }

    @Test func `two hosts do not see each other's groups`() async throws {
        try await TestGroups.with { one in
            try await TestGroups.with { other in
                let (first, second) = (try ControlGroups.open(named: one), try ControlGroups.open(named: other))
                let group = try first.make(for: "x", limits: ResourceLimits())
                #expect(second.startIDs() == [])
                await HostLauncher(groups: second).endLeftovers(except: [])
                #expect(group?.exists == true)
                group?.retire()
            }
        }
    }
}

@Suite struct EnforcementTests {
    @Test func `without control groups, the log says once what holds instead and why`() async throws {
        try await withTemporaryDirectory { directory in
            let handler = RecordingLogHandler()
            let supervisor = Supervisor(
                configuration: .init(stateDirectory: directory.appending("state")), launcher: HostLauncher(),
                output: DiscardingOutputHandler(), logger: Logger(label: "test") { _ in handler })
            let run = Task { try await supervisor.run() }
            try await supervisor.waitUntilAdopted()
            run.cancel()
            try await run.value
            let lines = handler.lines.withLock { $0 }.filter { $0.contains("what holds the limits") }
            #expect(lines.count == 1)
            #expect(
                lines.first?.contains("process: RLIMIT_DATA, as the launcher was given no control groups") == true)
        }
    }

    @Test func `with control groups, says where they are, or why they are not`() throws {
        let groups = try ControlGroups.open(named: "slipway-test-\(getpid())-enforcement")
        defer { groups.remove() }
        for enforcement in HostLauncher(groups: groups).enforcements {
            switch enforcement.scope {
            case .instance: #expect(enforcement.means.hasPrefix("control groups, version "))
            case .process, .user, .none:
                #expect(enforcement.means.contains("RLIMIT") || enforcement.means.contains(", as "))
            }
        }
    }

    /// Keeps messages with their metadata.
    final class RecordingLogHandler: LogHandler, Sendable {
        let lines = Mutex<[String]>([])
        var metadata: Logger.Metadata {
            get { [:] }
            set {}
        }
        var logLevel: Logger.Level {
            get { .trace }
            set {}
        }
        subscript(metadataKey _: String) -> Logger.Metadata.Value? {
            get { nil }
            set {}
        }
        func log(event: LogEvent) {
            let metadata = (event.metadata ?? [:]).map { "\($0.key): \($0.value)" }.sorted().joined(separator: "; ")
            self.lines.withLock { $0.append("\(event.message) \(metadata)") }
        }
    }
}
