import Synchronization
import Testing

@testable import SlugStore

private final class Counter: Sendable {
    let value = Atomic(0)
}

@Suite struct LockTests {
    enum Step {
        case request(LockQueue.Ticket, LockQueue.Mode, Bool), release(LockQueue.Mode, [LockQueue.Ticket]), abandon(
            LockQueue.Ticket, [LockQueue.Ticket])
    }

    @Test(arguments: [
        [Step.request(1, .shared, true), .request(2, .shared, true), .release(.shared, []), .release(.shared, [])],
        [.request(1, .exclusive, true), .request(2, .exclusive, false), .release(.exclusive, [2])],
        [
            .request(1, .exclusive, true), .request(2, .shared, false), .request(3, .shared, false),
            .release(.exclusive, [2, 3]),
        ],
        // A row of readers does not keep a writer waiting for ever.
        [
            .request(1, .shared, true), .request(2, .exclusive, false), .request(3, .shared, false),
            .release(.shared, [2]),
            .release(.exclusive, [3]),
        ],
        // Whoever stops waiting lets those behind it through.
        [.request(1, .shared, true), .request(2, .exclusive, false), .request(3, .shared, false), .abandon(2, [3])],
    ])
    func `grants in turn`(steps: [Step]) {
        var queue = LockQueue()
        for step in steps {
            switch step {
            case .request(let ticket, let mode, let granted): #expect(queue.request(ticket, mode) == granted)
            case .release(let mode, let granted): #expect(queue.release(mode) == granted)
            case .abandon(let ticket, let granted): #expect(queue.abandon(ticket) == (true, granted))
            }
        }
    }

    @Test func `excludes others while it is held and lets a cancelled task go`() async throws {
        let locks = LockTable<Int>()
        let inside = Counter()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try await locks.withLock(1, .exclusive) { () async throws(SlugStoreError) in
                        #expect(inside.value.add(1, ordering: .relaxed).newValue == 1)
                        await Task.yield()
                        inside.value.subtract(1, ordering: .relaxed)
                    }
                }
            }
            try await group.waitForAll()
        }
        try await locks.withLock(1, .exclusive) { () async throws(SlugStoreError) in
            let waiting = Task { @concurrent [locks] in
                await slugStoreError { () throws(SlugStoreError) in
                    try await locks.withLock(1, .shared) { () async throws(SlugStoreError) in }
                }
            }
            waiting.cancel()
            #expect(await waiting.value?.code == .cancelled)
        }
    }
}
