import Synchronization

/// Counts the loops that have taken notice of a change.
final class LoopAcknowledgement: Sendable {
    private let outstanding: Atomic<Int>

    init(_ loops: Int) {
        self.outstanding = Atomic(loops)
    }

    func acknowledge() { self.outstanding.subtract(1, ordering: .releasing) }

    var isComplete: Bool { self.outstanding.load(ordering: .acquiring) <= 0 }
}
