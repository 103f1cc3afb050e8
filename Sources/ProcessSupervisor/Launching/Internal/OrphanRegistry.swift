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
/// reap when its session or group is that of an instance, or when we saw it alive carrying an instance's mark.
final class OrphanRegistry: Sendable {
    private struct Known: Hashable {
        var pid: Int32
        var startTime: UInt64
    }
    private struct State {
        var trees: [String: ProcessTree] = [:]
        var known: Set<Known> = []
    }
    private let state = Mutex(State())

    func add(_ tree: ProcessTree) { self.state.withLock { $0.trees[tree.startID] = tree } }
    func remove(_ tree: ProcessTree) { self.state.withLock { $0.trees[tree.startID] = nil } }

    /// Looks at every child of this process once.
    func sweep() {
        let (trees, known) = self.state.withLock { (Array($0.trees.values), $0.known) }
        let leaders = Set(trees.map(\.leader))
        var seen: Set<Known> = []
        for child in Procfs.children() where !leaders.contains(child) {
            guard let entry = Procfs.process(child) else { continue }
            let key = Known(pid: child, startTime: entry.startTime)
            let isOurs =
                known.contains(key) || leaders.contains(entry.session) || leaders.contains(entry.group)
                || (!entry.hasEnded && trees.contains { ProcessTree.process(child, isMarkedFor: $0.startID) })
            guard isOurs else { continue }
            if entry.hasEnded { Self.reap(child) } else { seen.insert(key) }
        }
        self.state.withLock { $0.known = seen }
    }

    /// Reaps an ended child if it belongs to the tree.
    func reap(_ child: Int32, ifMemberOf tree: ProcessTree) {
        guard let entry = Procfs.process(child), entry.hasEnded, entry.startTime >= tree.leaderStart else { return }
        let known = Known(pid: child, startTime: entry.startTime)
        let isOurs =
            entry.session == tree.leader || entry.group == tree.leader
            || self.state.withLock { $0.known.contains(known) }
        if isOurs { Self.reap(child) }
    }

    private static func reap(_ pid: Int32) {
        var info = siginfo_t()
        _ = waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG)
    }
}
