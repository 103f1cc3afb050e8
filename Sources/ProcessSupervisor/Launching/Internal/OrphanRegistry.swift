import CProcessLauncher
import Synchronization
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Reaps the orphans that a subreaper gets from its own instances, and only those.
///
/// Other code in this process waits for its own children, so `waitpid(-1)` is out of the question. A child is ours to
/// reap when it has the brand, the session or the group of an instance.
final class OrphanRegistry: Sendable {
    private let trees = Mutex<[String: ProcessTree]>([:])
    /// First processes of sandboxes, which have been killed and end when all others there have been reaped.
    private let ending = Mutex<[HeldProcess]>([])

    func add(_ tree: ProcessTree) { self.trees.withLock { $0[tree.startID] = tree } }
    func remove(_ tree: ProcessTree) { self.trees.withLock { $0[tree.startID] = nil } }

    /// Reaps every ended orphan of every instance.
    func sweep() {
        Self.reapOrphans(of: self.trees.withLock { Array($0.values) }, keeping: [])
        self.reapEnding()
    }

    /// Reaps the first process of a sandbox, now or at one of the next calls.
    func reapLater(_ initProcess: HeldProcess) {
        self.ending.withLock { $0.append(initProcess) }
        self.reapEnding()
    }

    private func reapEnding() {
        self.ending.withLock { ending in
            ending.removeAll { process in
                process.reap()
                return process.isGone
            }
        }
    }

    /// Reaps every ended orphan of one instance. Its own number must still be taken.
    func reapOrphans(of tree: ProcessTree) {
        // Whatever else was started here is waited for by whoever started it, even if it has the same brand.
        Self.reapOrphans(of: [tree], keeping: Set(self.trees.withLock { $0.values.map(\.leader) }))
    }

    private static func reapOrphans(of trees: [ProcessTree], keeping others: Set<Int32>) {
        let leaders = Set(trees.map(\.leader))
        let brands = Set(trees.compactMap(\.brand))
        for child in Procfs.children() where !leaders.contains(child) && !others.contains(child) {
            guard let entry = Procfs.process(child), entry.hasEnded else { continue }
            if leaders.contains(entry.session) || leaders.contains(entry.group) || brands.contains(entry.residentLimit)
            {
                Self.reap(child)
            }
        }
    }

    private static func reap(_ pid: Int32) {
        var info = siginfo_t()
        _ = waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG)
    }
}
