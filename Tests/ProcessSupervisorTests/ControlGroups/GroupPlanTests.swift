import Testing

@testable import ProcessSupervisor

@Suite struct GroupPlanTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var host: RecordedHost
        var parents: [GroupFacility: String]
    }

    static let rows: [Row] = [
        Row(
            testDescription: "controllers of version 1 beside an empty version 2", host: .hybrid,
            parents: [
                .memory: "/sys/fs/cgroup/memory/process_api/9e308f30/slipway", .cpu: "/sys/fs/cgroup/cpu/slipway",
                .processes: "/sys/fs/cgroup/pids/slipway", .accounting: "/sys/fs/cgroup/unified/slipway",
                .membership: "/sys/fs/cgroup/unified/slipway",
            ]),
        Row(
            testDescription: "hybrid under systemd", host: .systemdHybrid,
            parents: [
                .memory: "/sys/fs/cgroup/memory/system.slice/slipway.service/slipway",
                .cpu: "/sys/fs/cgroup/cpu,cpuacct/system.slice/slipway.service/slipway",
                .processes: "/sys/fs/cgroup/pids/system.slice/slipway.service/slipway",
                .accounting: "/sys/fs/cgroup/unified/system.slice/slipway.service/slipway",
                .membership: "/sys/fs/cgroup/unified/system.slice/slipway.service/slipway",
            ]),
        Row(
            testDescription: "version 2, delegated", host: .delegated,
            parents: Dictionary(
                uniqueKeysWithValues: GroupFacility.allCases.map {
                    ($0, "/sys/fs/cgroup/system.slice/slipway.service/slipway")
                })),
        Row(
            testDescription: "version 2, the host put aside", host: .delegatedSubgroup,
            parents: Dictionary(
                uniqueKeysWithValues: GroupFacility.allCases.map {
                    ($0, "/sys/fs/cgroup/system.slice/slipway.service/slipway")
                })),
        Row(
            testDescription: "read-only and relative mounts of a container", host: .container,
            parents: [
                .processes: "/sys/fs/cgroup/with space/inner/slipway",
                .membership: "/sys/fs/cgroup/with space/inner/slipway",
            ]),
        Row(testDescription: "out of sight", host: .outside, parents: [:]),
        Row(testDescription: "none", host: .none, parents: [:]),
    ]

    @Test(arguments: rows) func `uses each controller where the host has it`(row: Row) {
        let plan = row.host.plan()
        var parents: [GroupFacility: String] = [:]
        for place in plan.places {
            for facility in place.facilities {
                #expect(parents[facility] == nil, "\(facility) is used twice")
                parents[facility] = place.parent
            }
        }
        #expect(parents == row.parents)
        #expect(Set(plan.absences.keys) == Set(GroupFacility.allCases).subtracting(row.parents.keys))
    }

    @Test(arguments: [
        (RecordedHost.none, GroupFacility.memory, "no control groups are mounted"),
        (.container, .memory, "/sys/fs/cgroup/memory is mounted read-only"),
        (.container, .cpu, "no mounted hierarchy has the controller cpu"),
        (.userSession, .cpu, "the controller cpu is not delegated to the host's group, and is in no other hierarchy"),
        (.outside, .memory, "the host's own group is not visible below /sys/fs/cgroup"),
    ])
    func `says why something is not to be had`(host: RecordedHost, facility: GroupFacility, reason: String) {
        #expect(host.plan().absences[facility] == reason)
    }

    @Test func `a place of one's own counts from the top of each hierarchy`() {
        let plan = RecordedHost.hybrid.plan(.group("/platform.slice/apps"))
        let memory = plan.places.first { $0.facilities.contains(.memory) }
        #expect(memory?.base == "/sys/fs/cgroup/memory")
        #expect(memory?.steps == ["platform.slice", "apps", "slipway"])
    }

    @Test(arguments: ["", ".", "..", "a/b", "a b", "host", "é", String(repeating: "a", count: 101)])
    func `refuses a name that is none`(name: String) {
        let error = #expect(throws: SupervisorError.self) { try ControlGroups.open(named: name) }
        #expect(error?.code == .invalidSpec)
    }

    @Test(arguments: ["a/../b", "a b", "a\nb"]) func `refuses a path that is none`(path: String) {
        let error = #expect(throws: SupervisorError.self) {
            try ControlGroups.open(named: "test", at: .group(path))
        }
        #expect(error?.code == .invalidSpec)
    }
}

@Suite struct GroupSettingTests {
    static let limits = ResourceLimits(
        memoryBytes: 512 << 20, cpuShare: 50, cpuQuota: 1.5, maxProcesses: 64, maxOpenFiles: 1024)

    static func texts(_ limits: ResourceLimits, _ version: GroupHierarchy.Version?) -> [String] {
        GroupSetting.all(for: limits, in: { _ in version }).map { "\($0.file) \($0.value)" }
    }

    @Test func `writes what version 1 understands, memory before memory with swap`() {
        #expect(
            Self.texts(Self.limits, .one) == [
                "memory.limit_in_bytes 536870912", "memory.memsw.limit_in_bytes 536870912", "pids.max 64",
                "cpu.shares 512", "cpu.cfs_period_us 100000", "cpu.cfs_quota_us 150000",
            ])
    }

    @Test func `writes what version 2 understands, and has the group killed as one`() {
        #expect(
            Self.texts(Self.limits, .two) == [
                "memory.max 536870912", "memory.swap.max 0", "memory.oom.group 1", "pids.max 64", "cpu.weight 50",
                "cpu.max 150000 100000",
            ])
    }

    @Test func `writes nothing without limits, or without controllers`() {
        #expect(Self.texts(ResourceLimits(maxOpenFiles: 5), .two) == [])
        #expect(Self.texts(Self.limits, nil) == [])
    }

    @Test(arguments: [
        ("oom_kill", "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n", 2),
        ("oom_kill", "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n", 7),
        ("usage_usec", "usage_usec 1234\nuser_usec 1\n", 1234), ("usage_usec", "", nil), ("oom", "oom many\n", nil),
    ])
    func `reads counters`(name: String, text: String, value: Int?) {
        #expect(GroupReading.value(of: name, in: text) == value)
    }

    @Test func `reads numbers`() {
        #expect(GroupReading.number("4096\n") == 4096)
        #expect(GroupReading.number("max\n") == nil)
        #expect(GroupReading.number("") == nil)
    }

    @Test func `words an excess as an operator reads it`() {
        #expect(
            MemoryExcess(limitBytes: 512 << 20, usedBytes: 530 << 20).description
                == "out of memory: 512 MB limit, 530 MB at the time")
        #expect(
            MemoryExcess(limitBytes: nil, usedBytes: 30 << 20).description
                == "out of memory: the machine has no more, 30 MB at the time")
    }

    @Test(arguments: [
        (ResourceLimits(memoryBytes: (1 << 20) - 1), "memoryBytes"),
        (ResourceLimits(memoryBytes: 2 << 20, softMemoryBytes: (2 << 20) + 1), "softMemoryBytes"),
        (ResourceLimits(cpuShare: 0), "cpuShare"), (ResourceLimits(cpuShare: 10_001), "cpuShare"),
        (ResourceLimits(cpuQuota: 0.001), "cpuQuota"), (ResourceLimits(cpuQuota: .nan), "cpuQuota"),
        (ResourceLimits(maxProcesses: 0), "maxProcesses"), (ResourceLimits(maxOpenFiles: 2), "maxOpenFiles"),
    ])
    func `refuses limits out of range`(limits: ResourceLimits, name: String) {
        let error = #expect(throws: SupervisorError.self) { try limits.validate() }
        #expect(error?.code == .invalidSpec)
        #expect(error?.message.contains(name) == true)
    }

    @Test func `takes limits at the ends of their ranges`() throws {
        try ResourceLimits(
            memoryBytes: 1 << 20, softMemoryBytes: 1 << 20, cpuShare: 1, cpuQuota: 0.01, maxProcesses: 1,
            maxOpenFiles: 3
        ).validate()
    }
}

@Suite struct MemoryWatchTests {
    static let limits = ResourceLimits(memoryBytes: 200, softMemoryBytes: 100)

    @Test func `tells once, and again only after a tenth less`() {
        var watch = MemoryWatch()
        let found = [99, 100, 120, 95, 100, 90, 89, 99, 100].map {
            watch.look(at: InstanceUsage(memoryBytes: $0), limits: Self.limits)
        }
        let high = MemoryWatch.Finding.high(usedBytes: 100, softLimitBytes: 100)
        #expect(found == [nil, high, nil, nil, nil, nil, nil, nil, high])
    }

    @Test func `tells of a kill once`() {
        var watch = MemoryWatch()
        let usage = InstanceUsage(memoryBytes: 150, peakMemoryBytes: 201, memoryKills: 1)
        #expect(
            watch.look(at: usage, limits: Self.limits) == .killed(MemoryExcess(limitBytes: 200, usedBytes: 201)))
        #expect(watch.look(at: usage, limits: Self.limits) == nil)
    }

    @Test func `is silent without limits or counts`() {
        var watch = MemoryWatch()
        #expect(watch.look(at: InstanceUsage(memoryBytes: 1000), limits: ResourceLimits()) == nil)
        #expect(watch.look(at: InstanceUsage(), limits: Self.limits) == nil)
    }
}
