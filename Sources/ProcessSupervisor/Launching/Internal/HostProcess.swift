import CProcessLauncher
import Dispatch
import Synchronization
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A process whose end can be told without a task that waits for it.
protocol ExitWatching: ProcessHandle {
    /// Calls a function when the main process has ended, once it is armed; then `waitForExit()` returns at once.
    func exitWatch(_ body: @escaping @Sendable () -> Void) -> ReadWatch
}

/// A process whose memory can be told with less effort than all that it uses.
protocol MemoryTelling: ProcessHandle {
    /// Its memory, and whether it was killed for it; nil: nobody counts it.
    /// - Parameter last: What was found the last time.
    func memoryUsage(after last: InstanceUsage?) -> InstanceUsage?
}

/// A process on this host, held by a pidfd.
final class HostProcess: ExitWatching, MemoryTelling {
    let tree: ProcessTree
    /// What holds it as a whole; nil where there are no control groups.
    private let group: ControlGroup?
    private let pidfd: Descriptor
    private let registry: OrphanRegistry
    private let scanner: ProcessScanner
    /// The sandbox that is its own, if it has one.
    private let sandbox: HeldSandbox
    /// The network that is its own, if it has one.
    private let network: HeldNetwork?
    private let exit = Mutex(ExitStatus?.none)
    /// Reading about many processes blocks for milliseconds; it does so here and not on the shared threads of Swift tasks.
    private static let scans = DispatchQueue(label: "slipway.process-supervisor.scans", attributes: .concurrent)

    init(
        tree: ProcessTree, group: ControlGroup?, pidfd: Descriptor, registry: OrphanRegistry,
        scanner: ProcessScanner, sandbox: HeldSandbox, network: HeldNetwork?
    ) {
        self.tree = tree
        self.group = group
        self.pidfd = pidfd
        self.registry = registry
        self.scanner = scanner
        self.sandbox = sandbox
        self.network = network
        registry.add(tree)
        // By its first process, as the instance may be in a user namespace within that of all the others.
        sandbox.owner?.add(tree.startID, sandbox.initProcess?.pidfd ?? pidfd, pid: tree.leader)
    }

    func exitWatch(_ body: @escaping @Sendable () -> Void) -> ReadWatch { ReadWatch(self.pidfd, body: body) }

    func waitForExit() async -> ExitStatus {
        await self.pidfd.wait(for: .readable)
        return self.exit.withLock { exit in
            if let exit { return exit }
            let status = self.attribute(self.readExit())
            if status != .unknown { exit = status }
            return status
        }
    }

    /// Three witnesses: the kernel, when the process is a child of ours and not reaped yet; /proc, when it is somebody
    /// else's and not reaped yet; the pidfd itself, when it is reaped and the kernel is a new one.
    private func readExit() -> ExitStatus {
        let peeked = slipway_peek_exit(self.pidfd.rawValue)
        if peeked.known != 0 { return ExitStatus(peeked) }
        if let entry = Procfs.process(self.tree.leader), entry.startTime == self.tree.leaderStart, entry.hasEnded {
            let decoded = slipway_decode_status(entry.exitCode)
            if decoded.known != 0 { return ExitStatus(decoded) }
        }
        let reaped = slipway_reaped_exit(self.pidfd.rawValue)
        return reaped.known != 0 ? ExitStatus(reaped) : .unknown
    }

    /// Tells what the kernel killed for memory from what was killed otherwise. A main process that fails when one of its
    /// own was killed is counted as such: a shell, say, that answers for its child.
    private func attribute(_ status: ExitStatus) -> ExitStatus {
        guard let group, status != .exited(0), let excess = group.memoryExcess() else { return status }
        return .outOfMemory(excess)
    }

    func usage() -> InstanceUsage? { self.group?.usage() }
    func memoryUsage(after last: InstanceUsage?) -> InstanceUsage? { self.group?.memoryUsage(after: last) }

    func signal(_ signal: Int32) async {
        for process in await self.living() { process.signal(signal) }
    }

    func waitUntilTreeIsGone() async {
        var isThorough = false
        while !Task.isCancelled {
            let living = await self.living(thorough: isThorough)
            // An empty group is no proof that nobody has got out of it; the traces are read once, at the end.
            if living.isEmpty, isThorough || self.group == nil { return }
            isThorough = living.isEmpty
            for process in living { await process.waitForEnd() }
        }
    }

    func killTree() async {
        // The second round begins by stopping everybody: what forks faster than it is killed stands still first.
        for round in 0... {
            // Everybody who has not left the sandbox, and nobody can.
            self.sandbox.initProcess?.signal(SIGKILL)
            await self.killGroup()
            var living = await self.living(thorough: true)
            if living.isEmpty { return }
            if round > 0 {
                var stopped: Set<Int32> = []
                for _ in 0..<50 {
                    let running = living.filter { !stopped.contains($0.pid) }
                    if running.isEmpty { break }
                    for process in running { process.signal(SIGSTOP) }
                    stopped.formUnion(running.map(\.pid))
                    living = await self.living(thorough: true)
                }
            }
            for process in living { process.signal(SIGKILL) }
            await Self.wait(for: living)
        }
    }

    /// Everybody in the group, at one stroke; who forks does not get away.
    private func killGroup() async {
        guard let group else { return }
        await Self.onQueue { group.kill() }
        await Self.wait(for: await self.living())
    }

    /// Not cancellable: the caller's cancellation would turn its loop into a busy one.
    private static func wait(for processes: [HeldProcess]) async {
        await Task { for process in processes { await process.waitForEnd() } }.value
    }

    func release() {
        // Orphans first: reaping the leader gives its number away, by which they are recognised.
        self.registry.reapOrphans(of: self.tree)
        slipway_reap(self.pidfd.rawValue)
        self.registry.remove(self.tree)
        self.sandbox.owner?.remove(self.tree.startID)
        if let initProcess = self.sandbox.initProcess {
            initProcess.signal(SIGKILL)
            self.registry.reapLater(initProcess)
        }
        self.network?.retire()
        self.group?.retire()
    }

    /// Who is left: by the group, which the kernel answers at once, or by the traces, for which all of `/proc` is read.
    private func living(thorough: Bool = false) async -> [HeldProcess] {
        var members: [HeldProcess]?
        if let group, group.hasMembership { members = await Self.onQueue { HeldProcess.living(in: group) } }
        if let members, !thorough { return members }
        // Who has left the group has done so on purpose and not by being careless with its environment: that of every
        // process on the machine need not be read, which is most of the cost.
        return await HeldProcess.living(
            in: self.tree, and: members ?? [], readsMarks: members == nil, scanner: self.scanner)
    }

    fileprivate static func onQueue<R: Sendable>(_ body: @escaping @Sendable () -> R) async -> R {
        await withCheckedContinuation { continuation in
            Self.scans.async { continuation.resume(returning: body()) }
        }
    }
}

/// A process of a tree, held so that a signal cannot hit another that has got its number.
struct HeldProcess: Sendable {
    let pid: Int32
    let pidfd: Descriptor
    private let startTime: UInt64

    /// A child of this process, which has not been reaped.
    init(child pid: Int32, pidfd: Descriptor) {
        self.pid = pid
        self.pidfd = pidfd
        self.startTime = Procfs.process(pid)?.startTime ?? 0
    }

    init?(_ entry: ProcessEntry) {
        let descriptor = slipway_pidfd_open(entry.pid)
        guard descriptor >= 0 else { return nil }
        self.pid = entry.pid
        self.pidfd = Descriptor(owning: descriptor)
        self.startTime = entry.startTime
        guard Procfs.process(entry.pid)?.startTime == entry.startTime else { return nil }
    }

    /// Who is left by the traces, and others that are held already.
    static func living(
        in tree: ProcessTree, and others: [HeldProcess] = [], readsMarks: Bool = true, scanner: ProcessScanner
    ) async -> [HeldProcess] {
        let held = Set(others.map(\.pid))
        @Sendable func members(in snapshot: ProcessSnapshot) -> [HeldProcess] {
            tree.members(in: snapshot.processes, excluding: getpid()) { pid in
                readsMarks && snapshot.marks(of: pid).contains { ProcessTree.mark($0, isOf: tree.startID) }
            }
            .filter { !$0.hasEnded && !held.contains($0.pid) }.compactMap { HeldProcess($0) }
        }
        // A long look misses who starts a successor and ends. Whoever was born meanwhile is looked at by number, until
        // nobody is born during a look; then there was nobody to miss, and a last long look says so.
        for _ in 0..<10 {
            let before = Procfs.newestProcess()
            let snapshot = await scanner.snapshot()
            let (found, wasQuiet) = await HostProcess.onQueue {
                var newest = before
                var found = others + members(in: snapshot)
                var wasQuiet = true
                for _ in 0..<1000 where found.isEmpty {
                    guard let last = newest, let now = Procfs.newestProcess(), now != last else { break }
                    newest = now
                    wasQuiet = false
                    guard now > last, now - last < 1000 else { break }  // the numbers have begun anew
                    found = members(in: ProcessSnapshot(ofNumbers: last + 1...now))
                }
                return (found, wasQuiet)
            }
            if !found.isEmpty || wasQuiet { return found }
        }
        return []
    }

    /// Who is left in a group.
    static func living(in group: ControlGroup) -> [HeldProcess] {
        // This process is in none; if somebody put it there, it is not to be killed for that.
        group.members().filter { $0 != getpid() }.compactMap { Procfs.process($0) }
            .filter { !$0.hasEnded }.compactMap { HeldProcess($0) }
    }

    func signal(_ signal: Int32) { _ = slipway_pidfd_signal(self.pidfd.rawValue, signal) }

    /// Reaps it if it has ended and is a child of this process.
    func reap() { slipway_reap(self.pidfd.rawValue) }

    /// Whether nothing is left of it, not even its end.
    var isGone: Bool { Procfs.process(self.pid)?.startTime != self.startTime }

    func waitForEnd() async { await self.pidfd.wait(for: .readable) }
}

extension ExitStatus {
    init(_ exit: slipway_exit) {
        self = exit.signalled != 0 ? .signalled(Int32(exit.code)) : .exited(Int32(exit.code))
    }
}
