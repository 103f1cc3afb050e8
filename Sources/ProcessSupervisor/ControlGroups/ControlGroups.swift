import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The control groups of this host's instances: one for each, which limits, counts and ends it as a whole.
///
/// Each controller is used where the host has it, in a hierarchy of version 2 or 1, whatever the others are in. What is
/// not to be had is told by ``Launcher/enforcements`` with its reason, and held by resource limits as far as they go.
///
/// The groups outlive the host as its instances do, and are found again by name.
public final class ControlGroups: Sendable {
    /// Where the instances' groups are.
    public enum Location: Sendable, Hashable {
        /// Beneath the group that the host is in. Under systemd, that takes a unit with `Delegate=yes` and, so that the
        /// unit can be started again while instances run, `DelegateSubgroup=host`. In version 2 a host that is alone in
        /// its group goes into a group `host` beneath it first.
        case beneathHost
        /// A path from the top of each hierarchy, such as `platform.slice`, made where it is missing.
        case group(String)
    }

    let places: [GroupPlan.Place]
    let absences: [GroupFacility: String]
    /// Where the groups are that count memory.
    let memoryDirectory: Descriptor?
    /// Starts whose groups could not be removed yet.
    private let unremoved = Mutex<Set<String>>([])

    private init(places: [GroupPlan.Place], absences: [GroupFacility: String]) {
        self.places = places
        self.absences = absences
        self.memoryDirectory = places.first { $0.facilities.contains(.memory) }
            .flatMap { GroupFiles.openDirectory($0.parent) }
    }

    /// Finds out what this host has, and makes the group that the instances' groups will be in.
    ///
    /// A host without control groups, or without the right to them, is no error: then nothing is used, and the reasons
    /// are kept. Takes milliseconds, and blocks for them.
    ///
    /// - Parameters:
    ///   - name: The name of that group, 1 to 100 letters, digits, dots, dashes and underscores. Every host on a machine
    ///     needs one of its own, the same whenever it is started: what it finds there and does not know, it ends.
    ///   - location: Where it is.
    /// - Throws: `invalidSpec` when the name or the location is no such path.
    public static func open(
        named name: String, at location: Location = .beneathHost
    ) throws(SupervisorError) -> ControlGroups {
        try Self.validate(name, location)
        let layout = GroupLayout(
            mounts: GroupFiles.read("/proc/self/mountinfo") ?? "",
            membership: GroupFiles.read("/proc/self/cgroup") ?? "", readFile: { GroupFiles.read($0) })
        let plan = GroupPlan(layout: layout, name: name, location: location)
        var absences = plan.absences
        var places: [GroupPlan.Place] = []
        for var place in plan.places {
            for (facility, reason) in Self.prepare(place) {
                place.facilities.remove(facility)
                absences[facility] = reason
            }
            if !place.facilities.isEmpty { places.append(place) }
        }
        return ControlGroups(places: places, absences: absences)
    }

    private static func validate(_ name: String, _ location: Location) throws(SupervisorError) {
        func isPlain(_ name: Substring) -> Bool {
            name != "." && name != ".." && (1...100).contains(name.utf8.count)
                && name.utf8.allSatisfy { byte in
                    let character = Character(Unicode.Scalar(byte))
                    return byte < 128 && (character.isLetter || character.isNumber || ".-_".contains(character))
                }
        }
        guard isPlain(name[...]), name != GroupPlan.hostGroup else {
            throw .invalid("\"\(name)\" cannot be the name of a control group: use letters, digits, '.', '-' and '_'")
        }
        guard case .group(let path) = location else { return }
        guard path.utf8.count <= 1000, path.split(separator: "/").allSatisfy({ isPlain($0) }) else {
            throw .invalid(
                "\"\(path)\" cannot be the path of a control group: use names of letters, digits, '.', '-', '_'")
        }
    }

    /// Makes the groups of one hierarchy. Returns what cannot be used there, and why.
    private static func prepare(_ place: GroupPlan.Place) -> [GroupFacility: String] {
        func everything(_ reason: String) -> [GroupFacility: String] {
            Dictionary(uniqueKeysWithValues: place.facilities.map { ($0, reason) })
        }
        var failures = Self.enable(place, in: place.base)
        var path = place.base
        for step in place.steps {
            path += "/" + step
            let error = GroupFiles.makeDirectory(path)
            guard error == 0 else { return everything("cannot make \(path): \(describe(errno: error))") }
            failures.merge(Self.enable(place, in: path)) { first, _ in first }
        }
        let procs = GroupFiles.openForWriting(path + "/cgroup.procs")
        guard procs >= 0 else { return everything("cannot write to \(path)/cgroup.procs: \(describe(errno: errno))") }
        close(procs)
        return failures
    }

    /// In version 2, a group has to hand each controller on to those beneath it.
    private static func enable(_ place: GroupPlan.Place, in path: String) -> [GroupFacility: String] {
        guard place.version == .two else { return [:] }
        var failures: [GroupFacility: String] = [:]
        let file = path + "/cgroup.subtree_control"
        let present = Set((GroupFiles.read(file) ?? "").split(whereSeparator: \.isWhitespace).map(String.init))
        let missing = place.facilities.filter { $0.controller.map { !present.contains($0) } ?? false }
        // Some would be handed on by a group with processes of its own, too, and then none beneath it could have any.
        let isCrowded = path == place.base && !missing.isEmpty && !Self.makeRoom(in: path)
        for facility in missing.sorted(by: { $0.rawValue < $1.rawValue }) {
            guard let controller = facility.controller else { continue }
            let error = isCrowded ? EBUSY : GroupFiles.write("+" + controller, to: file)
            guard error != 0 else { continue }
            let hint =
                error == EBUSY
                ? " (other processes are in that group; start the host in a unit with Delegate=yes and DelegateSubgroup=host)"
                : ""
            failures[facility] = "cannot enable \(controller) in \(file): \(describe(errno: error))\(hint)"
        }
        return failures
    }

    /// Moves this process out of the way, if nobody else is there: others' processes are not ours to move. Returns whether
    /// nobody is there now, or it does not matter, as in the topmost group, which alone has no type.
    private static func makeRoom(in path: String) -> Bool {
        let members = (GroupFiles.read(path + "/cgroup.procs") ?? "").split(separator: "\n").map { Int32($0) }
        if members.isEmpty || !GroupFiles.exists(path + "/cgroup.type") { return true }
        let leaf = "\(path)/\(GroupPlan.hostGroup)"
        return members == [getpid()] && GroupFiles.makeDirectory(leaf) == 0
            && GroupFiles.write("0", to: leaf + "/cgroup.procs") == 0
    }
}

extension ControlGroups {
    /// The hierarchy that has a facility.
    func place(of facility: GroupFacility) -> GroupPlan.Place? {
        self.places.first { $0.facilities.contains(facility) }
    }

    /// Makes the group of a start and sets its limits. Throws `launchFailed`, and then nothing of it is left.
    func make(for startID: String, limits: ResourceLimits) throws(SupervisorError) -> ControlGroup? {
        guard !self.places.isEmpty else { return nil }
        let group = ControlGroup(owner: self, startID: startID, limits: limits)
        do throws(SupervisorError) {
            try group.make()
        } catch {
            group.retire()
            throw error
        }
        return group
    }

    /// The group of a former host's start, if there is one.
    func find(_ startID: String, limits: ResourceLimits) -> ControlGroup? {
        let group = ControlGroup(owner: self, startID: startID, limits: limits)
        return group.exists ? group : nil
    }

    /// The starts that have a group.
    func startIDs() -> Set<String> {
        self.places.reduce(into: []) { $0.formUnion(GroupFiles.directories(in: $1.parent)) }
    }
}

extension ControlGroups {
    /// Kills whoever is left in the group of a start, and removes it.
    func end(_ startID: String) async {
        guard let group = self.find(startID, limits: ResourceLimits()) else { return }
        // Rounds, in case that somebody was being born; a process that waits for a device may outlast them all.
        for _ in 0..<100 {
            group.kill()
            let living = HeldProcess.living(in: group)
            if living.isEmpty { break }
            for process in living { await process.waitForEnd() }
            if Task.isCancelled { return }
        }
        group.retire()
    }

    func removeLater(_ startID: String) { self.unremoved.withLock { _ = $0.insert(startID) } }

    /// Removes what could not be removed when its time had come.
    func sweep() {
        for startID in self.unremoved.withLock({ $0 }) {
            let isGone = ControlGroup(owner: self, startID: startID, limits: ResourceLimits()).remove()
            if isGone { self.unremoved.withLock { _ = $0.remove(startID) } }
        }
    }

    /// Removes the group that instances' groups are in, unless there are any: when a host is not to come back.
    public func remove() {
        self.sweep()
        for place in self.places {
            var path = place.parent
            // Not what is in use by others: the kernel refuses that.
            for _ in place.steps {
                if rmdir(path) != 0 { break }
                path = String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.endIndex))
            }
        }
    }
}
