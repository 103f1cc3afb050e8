/// Which processes belong to one start: the seam where control groups will answer at once.
///
/// Without them, five traces lead to a process: its process group, its session, its marker in the environment, its
/// brand, its parents. A descendant has to wipe off all five at once to get away.
///
/// The *brand* is a limit of resident memory (`RLIMIT_RSS`) of two exbibytes and some, a different one for each start.
/// Linux enforces no such limit, every descendant inherits it, and `/proc/PID/stat` shows it to everybody, even for a
/// process that has ended and waits to be reaped.
struct ProcessTree: Sendable {
    /// The main process, which leads the session.
    var leader: Int32
    /// When it began.
    var leaderStart: UInt64
    /// The mark of its start.
    var startID: String
    /// The brand of its start; nil for what runs beside an instance and has the instance's.
    var brand: UInt64? { self.startID.contains(".") ? nil : Self.brand(of: self.startID) }

    private static func isBrand(_ limit: UInt64) -> Bool { limit >> 61 == 1 }

    /// The brand that a start gives to its processes. What is started on behalf of another (`<start>.<more>`) has that
    /// one's.
    static func brand(of startID: String) -> UInt64 {
        // FNV-1a: a good spread is all that is asked of it, the marks are random already.
        let hash = startID.utf8.prefix { $0 != UInt8(ascii: ".") }.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3
        }
        return (1 << 61) | (hash & ((1 << 61) - 1))
    }

    /// The brand of the first process of a start's sandbox, which belongs to no tree: it is neither counted nor waited for.
    static func brand(ofSandbox startID: String) -> UInt64 { Self.brand(of: "sandbox-" + startID) }

    /// The processes of the tree, the main one included, ended ones included.
    ///
    /// - Parameter readsMarker: tells whether a process carries a marker; a parameter for tests.
    func members(
        in processes: [ProcessEntry], excluding own: Int32,
        carriesMarker: (Int32) -> Bool
    ) -> [ProcessEntry] {
        let leaderEntry = processes.first { $0.pid == self.leader }
        // A number is not given away as long as a group or session of that number exists: when somebody else has the
        // leader's, then of the session nothing is left.
        let numbersAreOurs = leaderEntry == nil || leaderEntry?.startTime == self.leaderStart
        let brand = self.brand
        let startBrand = Self.brand(of: self.startID)
        var members: Set<Int32> = []
        for process in processes where process.startTime >= self.leaderStart && process.pid != own {
            let isLeader = process.pid == self.leader && process.startTime == self.leaderStart
            // Kernel threads have session 0; a tree without a known leader has no session at all.
            let sharesSession =
                self.leader > 0 && numbersAreOurs
                && (process.session == self.leader || process.group == self.leader)
            let isBranded = brand == process.residentLimit
            // Who has another start's brand has its mark as well: no need to read that.
            let isAnothers = Self.isBrand(process.residentLimit) && process.residentLimit != startBrand
            if isLeader || sharesSession || isBranded
                || (!isAnothers && !process.hasEnded && carriesMarker(process.pid))
            {
                members.insert(process.pid)
            }
        }
        var grew = !members.isEmpty
        while grew {
            grew = false
            for process in processes
            where process.pid != own && members.contains(process.parent) && !members.contains(process.pid) {
                members.insert(process.pid)
                grew = true
            }
        }
        return processes.filter { members.contains($0.pid) }
    }

    /// The main process of a start of which only the mark is known: whoever carries it and leads a session, the oldest.
    static func leader(in processes: [ProcessEntry], carriesMarker: (Int32) -> Bool) -> ProcessEntry? {
        processes.filter { $0.pid == $0.session && !$0.hasEnded && carriesMarker($0.pid) }
            .min { ($0.startTime, $0.pid) < ($1.startTime, $1.pid) }
    }

    /// The marks in the environment of a process. There is one, but whoever calls `putenv` may have more.
    static func marks(of pid: Int32) -> [String] {
        let prefix = Array("\(LaunchRequest.markerVariable)=".utf8)
        return Procfs.environment(of: pid).compactMap { entry in
            entry.starts(with: prefix) ? String(decoding: entry.dropFirst(prefix.count), as: UTF8.self) : nil
        }
    }

    /// Whether a mark is that of a start, or of something that was started on its behalf, as probes are
    /// (`<start>.<more>`).
    static func mark(_ mark: String, isOf startID: String) -> Bool {
        mark.utf8.starts(with: startID.utf8)
            && [nil, UInt8(ascii: ".")].contains(mark.utf8.dropFirst(startID.utf8.count).first)
    }
}
