/// What is written into an instance's group to limit it. Decided from the limits alone.
struct GroupSetting: Sendable, Hashable {
    var facility: GroupFacility
    var file: String
    var value: String
    /// Whether a kernel may lack the file: limits of swap need swap to be counted.
    var isOptional = false

    /// The period over which a quota of the processors is held, in microseconds; the kernel's own.
    static let period = 100_000

    /// The settings in the order in which they must be written.
    static func all(for limits: ResourceLimits, in version: (GroupFacility) -> GroupHierarchy.Version?) -> [Self] {
        var settings: [Self] = []
        if let version = version(.memory) { settings += Self.memory(limits, version) }
        if let count = limits.maxProcesses, version(.processes) != nil {
            settings.append(Self(facility: .processes, file: "pids.max", value: String(count)))
        }
        if let version = version(.cpu) { settings += Self.cpu(limits, version) }
        return settings
    }

    private static func memory(_ limits: ResourceLimits, _ version: GroupHierarchy.Version) -> [Self] {
        guard let bytes = limits.memoryBytes else { return [] }
        switch version {
        case .one:
            // Memory and swap together can be no less than memory alone, so they come second.
            return [
                Self(facility: .memory, file: "memory.limit_in_bytes", value: String(bytes)),
                Self(facility: .memory, file: "memory.memsw.limit_in_bytes", value: String(bytes), isOptional: true),
            ]
        case .two:
            return [
                Self(facility: .memory, file: "memory.max", value: String(bytes)),
                Self(facility: .memory, file: "memory.swap.max", value: "0", isOptional: true),
                // An instance that has lost one process for its memory is not the one that was started: all of it goes.
                Self(facility: .memory, file: "memory.oom.group", value: "1", isOptional: true),
            ]
        }
    }

    private static func cpu(_ limits: ResourceLimits, _ version: GroupHierarchy.Version) -> [Self] {
        var settings: [Self] = []
        if let share = limits.cpuShare {
            switch version {
            case .one:
                let shares = min(max(share * 1024 / 100, 2), 262_144)
                settings.append(Self(facility: .cpu, file: "cpu.shares", value: String(shares)))
            case .two: settings.append(Self(facility: .cpu, file: "cpu.weight", value: String(share)))
            }
        }
        if let quota = limits.cpuQuota {
            let microseconds = max(Int(quota * Double(Self.period)), 1000)
            switch version {
            case .one:
                settings += [
                    Self(facility: .cpu, file: "cpu.cfs_period_us", value: String(Self.period)),
                    Self(facility: .cpu, file: "cpu.cfs_quota_us", value: String(microseconds)),
                ]
            case .two:
                settings.append(Self(facility: .cpu, file: "cpu.max", value: "\(microseconds) \(Self.period)"))
            }
        }
        return settings
    }
}

/// The texts in which a group tells what was used, read.
enum GroupReading {
    /// The value of a line `name value`, as in `memory.events`, `memory.oom_control` and `cpu.stat`.
    static func value(of name: String, in text: String) -> Int? {
        // Without an array of anything: a thousand instances are looked at.
        var rest = text.utf8[...]
        while !rest.isEmpty {
            let line = rest.prefix { $0 != UInt8(ascii: "\n") }
            if line.starts(with: name.utf8), line.dropFirst(name.utf8.count).first == UInt8(ascii: " ") {
                return Int(Substring(line.dropFirst(name.utf8.count + 1)))
            }
            rest = rest[line.endIndex...].dropFirst()
        }
        return nil
    }

    /// The only number of a file; nil for `max` and for what is no number.
    static func number(_ text: String) -> Int? { Int(Substring(text.utf8.prefix { $0 > UInt8(ascii: " ") })) }

    static func currentMemory(_ version: GroupHierarchy.Version) -> String {
        version == .two ? "memory.current" : "memory.usage_in_bytes"
    }

    /// The time on the processors, which is the first number in it.
    static func time(_ version: GroupHierarchy.Version) -> String { version == .two ? "cpu.stat" : "cpuacct.usage" }

    /// Version 2 has it since Linux 5.19.
    static func peakMemory(_ version: GroupHierarchy.Version) -> String {
        version == .two ? "memory.peak" : "memory.max_usage_in_bytes"
    }

    /// Where the kernel counts the processes that it killed for their memory.
    static func memoryEvents(_ version: GroupHierarchy.Version) -> String {
        version == .two ? "memory.events" : "memory.oom_control"
    }
}
