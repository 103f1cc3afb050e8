/// What control groups are used for, each by whichever hierarchy has it.
enum GroupFacility: String, Sendable, Hashable, CaseIterable {
    /// A limit of memory, its use, and whether the kernel killed for it.
    case memory
    /// A limit of processes and threads, and their number.
    case processes
    /// Shares and a quota of the processors.
    case cpu
    /// The time on the processors so far.
    case accounting
    /// Who belongs to the instance, and their end all at once.
    case membership

    /// The controller that is needed; nil: none, in version 2.
    var controller: String? {
        switch self {
        case .memory: "memory"
        case .processes: "pids"
        case .cpu: "cpu"
        case .accounting, .membership: nil
        }
    }
}

/// Which directories an instance's groups are made in, and what each of them is for. Decided from texts alone.
struct GroupPlan: Sendable, Hashable {
    /// One hierarchy that is used.
    struct Place: Sendable, Hashable {
        var version: GroupHierarchy.Version
        /// The group that exists already, and belongs to somebody else or to the host.
        var base: String
        /// The groups to make below it, each in the one before; instances' groups are made in the last.
        var steps: [String]
        var facilities: Set<GroupFacility>

        var parent: String { ([self.base] + self.steps).joined(separator: "/") }
    }

    /// The group into which a host goes that would stand in the way of its instances: in version 2, a group with
    /// processes of its own has no limits to give.
    static let hostGroup = "host"

    var places: [Place]
    /// Why a facility is not to be had.
    var absences: [GroupFacility: String]

    /// Makes a plan.
    ///
    /// - Parameters:
    ///   - layout: What there is.
    ///   - name: The group of this host's instances, which has no other user.
    ///   - location: Where that is made.
    init(layout: GroupLayout, name: String, location: ControlGroups.Location) {
        var found: [Int: Set<GroupFacility>] = [:]
        var absences: [GroupFacility: String] = [:]
        for facility in GroupFacility.allCases {
            var reason = Self.reasonForNothing(facility, in: layout)
            for index in Self.candidates(for: facility, in: layout) {
                let hierarchy = layout.hierarchies[index]
                if hierarchy.isReadOnly {
                    reason = "\(hierarchy.mountPoint) is mounted read-only"
                } else if Self.base(in: hierarchy, location) == nil {
                    reason = "the host's own group is not visible below \(hierarchy.mountPoint)"
                } else {
                    found[index, default: []].insert(facility)
                    reason = ""
                    break
                }
            }
            if !reason.isEmpty { absences[facility] = reason }
        }
        self.places = found.sorted { $0.key < $1.key }.compactMap { index, facilities in
            let hierarchy = layout.hierarchies[index]
            guard let (base, steps) = Self.base(in: hierarchy, location) else { return nil }
            return Place(version: hierarchy.version, base: base, steps: steps + [name], facilities: facilities)
        }
        self.absences = absences
    }

    /// Hierarchies that could serve, the best first.
    private static func candidates(for facility: GroupFacility, in layout: GroupLayout) -> [Int] {
        let indices = layout.hierarchies.indices
        if let controller = facility.controller {
            return indices.filter { layout.hierarchies[$0].controllers.contains(controller) }
        }
        // Every group of version 2 counts its time and can be killed, whatever controllers it has; of version 1, one
        // that is used anyway is better than none.
        let first = indices.filter { layout.hierarchies[$0].version == .two }
        let names = facility == .accounting ? ["cpuacct"] : ["freezer", "pids", "memory"]
        return first
            + names.flatMap { name in
                indices.filter {
                    layout.hierarchies[$0].version == .one && layout.hierarchies[$0].controllers.contains(name)
                }
            }
    }

    private static func reasonForNothing(_ facility: GroupFacility, in layout: GroupLayout) -> String {
        if layout.hierarchies.isEmpty { return "no control groups are mounted" }
        guard let controller = facility.controller else { return "no hierarchy of control groups can do it" }
        return layout.hierarchies.contains { $0.version == .two && $0.ownDirectory != nil }
            ? "the controller \(controller) is not delegated to the host's group, and is in no other hierarchy"
            : "no mounted hierarchy has the controller \(controller)"
    }

    private static func base(
        in hierarchy: GroupHierarchy, _ location: ControlGroups.Location
    ) -> (String, [String])? {
        switch location {
        case .beneathHost:
            guard let own = hierarchy.ownDirectory else { return nil }
            // A host that has made room for its instances before, or was put aside by systemd (DelegateSubgroup=).
            let suffix = "/" + Self.hostGroup
            guard hierarchy.version == .two, own.hasSuffix(suffix), own != hierarchy.mountPoint else {
                return (own, [])
            }
            return (String(own.dropLast(suffix.count)), [])
        case .group(let path):
            return (hierarchy.mountPoint, path.split(separator: "/").map(String.init))
        }
    }
}
