import CProcessLauncher
import Dispatch
import Synchronization
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A process on this host, held by a pidfd.
final class HostProcess: ProcessHandle {
    let tree: ProcessTree
    private let pidfd: Descriptor
    private let registry: OrphanRegistry
    private let exit = Mutex(ExitStatus?.none)
    /// Scanning /proc blocks for milliseconds; it does so here and not on the shared threads of Swift tasks.
    private static let scans = DispatchQueue(label: "slipway.process-supervisor.scans", attributes: .concurrent)

    init(tree: ProcessTree, pidfd: Descriptor, registry: OrphanRegistry) {
        self.tree = tree
        self.pidfd = pidfd
        self.registry = registry
        registry.add(tree)
    }

    func waitForExit() async -> ExitStatus {
        await self.pidfd.wait(for: .readable)
        return self.exit.withLock { exit in
            if let exit { return exit }
            let status = self.readExit()
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

    func signal(_ signal: Int32) async {
        for process in await self.living() { process.signal(signal) }
    }

    func waitUntilTreeIsGone() async {
        while !Task.isCancelled {
            let living = await self.living()
            if living.isEmpty { return }
            for process in living { await process.waitForEnd() }
        }
    }

    func killTree() async {
        // The second round begins by stopping everybody: what forks faster than it is killed stands still first.
        for round in 0... {
            var living = await self.living()
            if living.isEmpty { return }
            if round > 0 {
                var stopped: Set<Int32> = []
                for _ in 0..<50 {
                    let running = living.filter { !stopped.contains($0.pid) }
                    if running.isEmpty { break }
                    for process in running { process.signal(SIGSTOP) }
                    stopped.formUnion(running.map(\.pid))
                    living = await self.living()
                }
            }
            for process in living { process.signal(SIGKILL) }
            // Not cancellable: the caller's cancellation would turn this into a busy loop.
            let waits = living
            await Task { for process in waits { await process.waitForEnd() } }.value
        }
    }

    func release() {
        // Orphans first: reaping the leader gives its number away, by which they are recognised.
        self.registry.reapOrphans(of: self.tree)
        slipway_reap(self.pidfd.rawValue)
        self.registry.remove(self.tree)
    }

    private func living() async -> [HeldProcess] {
        let tree = self.tree
        return await withCheckedContinuation { continuation in
            Self.scans.async { continuation.resume(returning: HeldProcess.living(in: tree)) }
        }
    }
}

/// A process of a tree, held so that a signal cannot hit another that has got its number.
struct HeldProcess: Sendable {
    let pid: Int32
    private let pidfd: Descriptor

    private init?(_ entry: ProcessEntry) {
        let descriptor = slipway_pidfd_open(entry.pid)
        guard descriptor >= 0 else { return nil }
        self.pid = entry.pid
        self.pidfd = Descriptor(owning: descriptor)
        guard Procfs.process(entry.pid)?.startTime == entry.startTime else { return nil }
    }

    static func living(in tree: ProcessTree) -> [HeldProcess] {
        tree.members(in: Procfs.processes(), excluding: getpid()) {
            ProcessTree.process($0, isMarkedFor: tree.startID)
        }
        .filter { !$0.hasEnded }
        .compactMap { HeldProcess($0) }
    }

    func signal(_ signal: Int32) { _ = slipway_pidfd_signal(self.pidfd.rawValue, signal) }

    func waitForEnd() async { await self.pidfd.wait(for: .readable) }
}

extension ExitStatus {
    init(_ exit: slipway_exit) {
        self = exit.signalled != 0 ? .signalled(Int32(exit.code)) : .exited(Int32(exit.code))
    }
}
