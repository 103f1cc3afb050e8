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
    private struct State {
        var trees: [String: ProcessTree] = [:]
        /// Starts whose process may be there and is not in `trees` yet, by the brand that it gets.
        var births: [UInt64: Int] = [:]
    }
    private let state = Mutex(State())
    /// First processes of sandboxes, which have been killed and end when all others there have been reaped.
    private let ending = Mutex<[HeldProcess]>([])

    func add(_ tree: ProcessTree) { self.state.withLock { $0.trees[tree.startID] = tree } }
    func remove(_ tree: ProcessTree) { self.state.withLock { $0.trees[tree.startID] = nil } }

    /// Says that a process is about to be started, so that it is no orphan should it end before it is added.
    func beginBirth(of startID: String) {
        self.state.withLock { $0.births[ProcessTree.brand(of: startID), default: 0] += 1 }
    }

    /// The process was added, or there is none.
    func endBirth(of startID: String) {
        let brand = ProcessTree.brand(of: startID)
        self.state.withLock { state in
            let count = state.births[brand, default: 1] - 1
            state.births[brand] = count > 0 ? count : nil
        }
    }

    /// Reaps every ended orphan of every instance.
    func sweep() {
        self.reapOrphans(of: self.state.withLock { Array($0.trees.values) })
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
    func reapOrphans(of tree: ProcessTree) { self.reapOrphans(of: [tree]) }

    private func reapOrphans(of trees: [ProcessTree]) {
        let leaders = Set(trees.map(\.leader))
        let brands = Set(trees.compactMap(\.brand))
        let others = self.state.withLock { Set($0.trees.values.map(\.leader)) }
        for child in Procfs.children() where !leaders.contains(child) && !others.contains(child) {
            guard let entry = Procfs.process(child), entry.hasEnded else { continue }
            if leaders.contains(entry.session) || leaders.contains(entry.group) || brands.contains(entry.residentLimit)
            {
                self.reapUnlessStarted(entry)
            }
        }
    }

    /// Whatever was started here is waited for by whoever started it, even if it has the same brand: one that has been
    /// added since, or will be.
    private func reapUnlessStarted(_ entry: ProcessEntry) {
        self.state.withLock { state in
            let isNewborn = entry.pid == entry.session && state.births[entry.residentLimit] != nil
            let isStarted = state.trees.values.contains { $0.leader == entry.pid }
            guard !isNewborn, !isStarted, Procfs.process(entry.pid)?.startTime == entry.startTime else { return }
            var info = siginfo_t()
            _ = waitid(P_PID, id_t(entry.pid), &info, WEXITED | WNOHANG)
        }
    }
}
