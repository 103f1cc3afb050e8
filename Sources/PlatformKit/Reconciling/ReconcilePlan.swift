/// A place in a formation: the second `web`.
struct Slot: Sendable, Hashable, Comparable, CustomStringConvertible {
    var processType: String
    var number: Int

    static func < (lhs: Slot, rhs: Slot) -> Bool { (lhs.processType, lhs.number) < (rhs.processType, rhs.number) }
    var description: String { "\(self.processType).\(self.number)" }
}

/// What should run of one release.
struct Target: Sendable, Hashable {
    var release: Int
    var slots: Set<Slot>
    /// Process types of which two must never run at once.
    var singletons: Set<String> = []
}

/// What should be, for one application.
struct DesiredState: Sendable, Hashable {
    /// The release that is routed to.
    var live: Target?
    /// A release on its way: its instances run, and get no requests.
    var candidate: Target?
    /// Places of the live release whose instance is being replaced: a newer one that is not ready yet is kept.
    var replacing: Set<Slot> = []
    /// Singletons of which the live release's instance makes way, so that the candidate's may start.
    var yielding: Set<String> = []
    /// As whom instances run; nil: as the platform.
    var user: UInt32?

    /// A type is one as long as one of the releases says so: the other's instances must not run beside it either.
    var singletons: Set<String> { (self.live?.singletons ?? []).union(self.candidate?.singletons ?? []) }
}

/// The next steps from what is to what should be. Pure: the same states give the same plan.
///
/// Of several instances of one release in one place (a replacement in progress, or what a crash of the host left of
/// one), the newest that is ready serves, and those that are older go once it does.
///
/// Of a singleton none is started while there is another, whatever its state. In a rollout it stays the live release's
/// until it is told to yield (``DesiredState/yielding``).
///
/// Instances of another user than they are to run as now go first, all of them, and none is started while there is one: the
/// application's storage can be but one user's, and whoever is without it may fail at once, or lose what it was writing. For
/// that time requests wait.
struct ReconcilePlan: Sendable, Equatable {
    struct Start: Sendable, Hashable {
        var release: Int
        var slot: Slot
    }

    /// To be started.
    var starts: [Start] = []
    /// To get requests.
    var routed: [String] = []
    /// Whether the live release is to get requests and some instance for them is there or may come: not when there is to
    /// be none, nor when all have been given up.
    var isServed = false
    /// To leave the routes, be drained and stopped.
    var retired: [String] = []

    init(desired: DesiredState, observed: [WorkloadInstance]) {
        var kept: Set<String> = []
        let isAnothers = observed.contains { $0.user != desired.user && !$0.isOver }
        for (target, isLive) in [(desired.live, true), (desired.candidate, false)] {
            guard let target else { continue }
            for slot in target.slots.sorted() {
                let isForRequests = isLive && slot.processType == "web"
                let isSingleton = desired.singletons.contains(slot.processType)
                if isSingleton, desired.candidate != nil, isLive == desired.yielding.contains(slot.processType) {
                    if isForRequests { self.isServed = true }
                    continue
                }
                let here = observed.filter {
                    $0.release == target.release && $0.processType == slot.processType && $0.number == slot.number
                        && $0.phase != .stopping && $0.phase != .stopped && $0.user == desired.user
                }.sorted { $0.serial > $1.serial }
                guard let newest = here.first else {
                    if isForRequests { self.isServed = true }
                    let isTaken = observed.contains {
                        $0.processType == slot.processType
                            && ($0.release != target.release || target.singletons.contains(slot.processType))
                    }
                    if isAnothers || isSingleton && isTaken { continue }
                    self.starts.append(Start(release: target.release, slot: slot))
                    continue
                }
                let serving = here.first { $0.phase == .ready } ?? newest
                kept.insert(serving.id)
                if isForRequests, serving.phase != .failed { self.isServed = true }
                if isLive, desired.replacing.contains(slot) { kept.insert(newest.id) }
                if isForRequests, serving.phase == .ready { self.routed.append(serving.id) }
            }
        }
        self.retired = observed.filter { !kept.contains($0.id) && $0.phase != .stopping && $0.phase != .stopped }
            .map(\.id).sorted()
    }
}
