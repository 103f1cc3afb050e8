#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The control group of one start: one directory in each hierarchy that is used.
struct ControlGroup: Sendable {
    let owner: ControlGroups
    let startID: String
    let limits: ResourceLimits

    private var places: [GroupPlan.Place] { self.owner.places }

    private func directory(_ place: GroupPlan.Place) -> String { "\(place.parent)/\(self.startID)" }

    private func place(of facility: GroupFacility) -> GroupPlan.Place? {
        self.places.first { $0.facilities.contains(facility) }
    }

    /// The path of a file of a facility, by the version of the hierarchy that has it.
    private func path(_ facility: GroupFacility, _ file: (GroupHierarchy.Version) -> String) -> String? {
        self.place(of: facility).map { "\(self.directory($0))/\(file($0.version))" }
    }

    private func read(_ facility: GroupFacility, _ file: (GroupHierarchy.Version) -> String) -> String? {
        self.path(facility, file).flatMap { GroupFiles.read($0) }
    }

    // MARK: Making and removing

    func make() throws(SupervisorError) {
        for place in self.places {
            let error = GroupFiles.makeDirectory(self.directory(place))
            guard error == 0 else {
                throw Self.failure("make the control group \(self.directory(place))", error)
            }
        }
        for setting in GroupSetting.all(for: self.limits, in: { self.place(of: $0)?.version }) {
            guard let path = self.path(setting.facility, { _ in setting.file }) else { continue }
            let error = GroupFiles.write(setting.value, to: path)
            if error == 0 || (setting.isOptional && !GroupFiles.exists(path)) { continue }
            throw Self.failure("write \(setting.value) to \(path)", error)
        }
    }

    var exists: Bool { self.places.contains { GroupFiles.exists(self.directory($0)) } }

    /// Removes the directories. Returns whether all of them are gone; where somebody is still in one, it stays.
    @discardableResult
    func remove() -> Bool { self.places.map { GroupFiles.removeTree(self.directory($0)) }.allSatisfy { $0 == 0 } }

    /// Removes it, now or at one of the next sweeps: of a process that has just ended the kernel may not have let go yet.
    func retire() { if !self.remove() { self.owner.removeLater(self.startID) } }

    private static func failure(_ what: String, _ error: Int32) -> SupervisorError {
        SupervisorError(code: .launchFailed, message: "cannot \(what): \(describe(errno: error))")
    }

    // MARK: Members

    /// Descriptors that a child writes "0" to, so that it is in the group before it is anybody else's program.
    func openForJoining() throws(SupervisorError) -> [Descriptor] {
        var descriptors: [Descriptor] = []
        for place in self.places {
            let path = self.directory(place) + "/cgroup.procs"
            let descriptor = GroupFiles.openForWriting(path)
            guard descriptor >= 0 else { throw Self.failure("open \(path)", errno) }
            descriptors.append(Descriptor(owning: descriptor))
        }
        return descriptors
    }

    /// Whether somebody could be in it. Without the facility, nobody knows.
    var hasMembership: Bool { self.place(of: .membership) != nil }

    /// Who is in it, and in groups that its members have made beneath it.
    func members() -> [Int32] {
        guard let place = self.place(of: .membership) else { return [] }
        return Self.members(in: self.directory(place))
    }

    private static func members(in directory: String) -> [Int32] {
        // In a group of threads, of version 2, the list cannot be read; whoever made that is killed by the group.
        let own = (GroupFiles.read(directory + "/cgroup.procs") ?? "").split(separator: "\n").compactMap { Int32($0) }
        return own + GroupFiles.directories(in: directory).flatMap { Self.members(in: "\(directory)/\($0)") }
    }

    /// Kills everybody in it at one stroke, as far as the kernel can; what forks meanwhile does not get away.
    func kill() {
        guard let place = self.place(of: .membership) else { return }
        let directory = self.directory(place)
        if place.version == .two, GroupFiles.write("1", to: directory + "/cgroup.kill") == 0 { return }
        // Older kernels of version 2, and version 1: whoever is frozen does not fork.
        let freeze = place.version == .two ? ("/cgroup.freeze", "1", "0") : ("/freezer.state", "FROZEN", "THAWED")
        let isFreezing = GroupFiles.write(freeze.1, to: directory + freeze.0) == 0
        if isFreezing { Self.waitUntilFrozen(directory, place.version) }
        for member in self.members() { _ = Self.signal(member, SIGKILL) }
        if isFreezing { _ = GroupFiles.write(freeze.2, to: directory + freeze.0) }
    }

    /// A member that waits for a device may hold the freezing up: then the kill goes on without it, and is repeated.
    private static func waitUntilFrozen(_ directory: String, _ version: GroupHierarchy.Version) {
        for _ in 0..<200 {
            let isFrozen =
                version == .two
                ? GroupReading.value(of: "frozen", in: GroupFiles.read(directory + "/cgroup.events") ?? "") == 1
                : GroupFiles.read(directory + "/freezer.state")?.hasPrefix("FROZEN") == true
            if isFrozen { return }
            usleep(500)
        }
    }

    private static func signal(_ pid: Int32, _ signal: Int32) -> Int32 {
        #if canImport(Musl)
            Musl.kill(pid, signal)
        #else
            Glibc.kill(pid, signal)
        #endif
    }

    // MARK: Counting

    /// What it uses now. Takes some microseconds.
    func usage() -> InstanceUsage {
        var usage = InstanceUsage()
        usage.memoryBytes = self.read(.memory, GroupReading.currentMemory).flatMap { GroupReading.number($0) }
        usage.peakMemoryBytes = self.read(.memory, GroupReading.peakMemory).flatMap { GroupReading.number($0) }
        usage.memoryKills = self.memoryKills
        usage.processes = self.read(.processes) { _ in "pids.current" }.flatMap { GroupReading.number($0) }
        if let place = self.place(of: .accounting) {
            let text = self.read(.accounting, GroupReading.time) ?? ""
            switch place.version {
            case .two:
                usage.cpuTime = GroupReading.value(of: "usage_usec", in: text).map { .microseconds($0) }
            case .one:
                usage.cpuTime = GroupReading.number(text).map { .nanoseconds($0) }
            }
        }
        return usage
    }

    /// What of its use must be looked at from time to time: its memory, and whether it was killed for it. Two files at most, and
    /// one for an instance that does nothing, for a thousand are looked at: a kill gives memory back, so that where the kernel
    /// counts exactly as much as the last time, there was none. Not so near the limit, to which others fill what the kill gave.
    func memoryUsage(after last: InstanceUsage?) -> InstanceUsage {
        guard let place = self.place(of: .memory), let parent = self.owner.memoryDirectory else { return self.usage() }
        func read(_ file: (GroupHierarchy.Version) -> String) -> String? {
            GroupFiles.readRecord("\(self.startID)/\(file(place.version))", below: parent)
        }
        var usage = InstanceUsage()
        usage.memoryBytes = read(GroupReading.currentMemory).flatMap { GroupReading.number($0) }
        let isFar = self.limits.memoryBytes.map { (usage.memoryBytes ?? .max) < $0 - $0 / 8 } ?? true
        if let last, isFar, last.memoryBytes != nil, last.memoryBytes == usage.memoryBytes { return last }
        usage.memoryKills = read(GroupReading.memoryEvents).flatMap { GroupReading.value(of: "oom_kill", in: $0) } ?? 0
        if usage.memoryKills > 0 {
            usage.peakMemoryBytes = read(GroupReading.peakMemory).flatMap { GroupReading.number($0) }
        }
        return usage
    }

    /// How many of its processes the kernel has killed for their memory.
    private var memoryKills: Int {
        self.read(.memory, GroupReading.memoryEvents).flatMap { GroupReading.value(of: "oom_kill", in: $0) } ?? 0
    }

    /// What it was killed for; nil when the kernel has killed none of its processes for their memory.
    func memoryExcess() -> MemoryExcess? {
        guard self.memoryKills > 0 else { return nil }
        let used = self.read(.memory, GroupReading.peakMemory).flatMap { GroupReading.number($0) }
        return MemoryExcess(limitBytes: self.hitItsLimit ? self.limits.memoryBytes : nil, usedBytes: used)
    }

    /// Whether it was its own limit, and not the machine's memory or a group's above.
    private var hitItsLimit: Bool {
        guard let place = self.place(of: .memory) else { return false }
        switch place.version {
        case .one:
            // Not by `memory.failcnt`, which newer kernels do not count any more.
            let peak = self.read(.memory, GroupReading.peakMemory).flatMap { GroupReading.number($0) } ?? 0
            return self.limits.memoryBytes.map { peak >= $0 - (1 << 20) } ?? false
        case .two:
            let events = self.read(.memory, GroupReading.memoryEvents) ?? ""
            return (GroupReading.value(of: "oom", in: events) ?? 0) > 0
        }
    }
}
