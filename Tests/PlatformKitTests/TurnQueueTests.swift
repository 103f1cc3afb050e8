import Synchronization
import Testing

@testable import PlatformKit

@Suite(.timeLimit(.minutes(1))) struct TurnQueueTests {
    @Test func `lets one through at a time, in the order of arrival`() async throws {
        let queue = TurnQueue()
        let (inside, entered) = AsyncStream<Int>.makeStream()
        let (leave, letGo) = AsyncStream<Void>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await queue.withTurn {
                    entered.yield(1)
                    for await _ in leave { break }
                }
            }
            var order = inside.makeAsyncIterator()
            #expect(await order.next() == 1)
            group.addTask { try await queue.withTurn { _ = entered.yield(2) } }
            await queue.waiting(atLeast: 1)
            group.addTask { try await queue.withTurn { _ = entered.yield(3) } }
            await queue.waiting(atLeast: 2)
            letGo.yield()
            #expect(await order.next() == 2)
            #expect(await order.next() == 3)
            try await group.waitForAll()
        }
    }

    @Test func `the newest deployment takes the place of those that wait, and of no other operation`() async throws {
        let queue = TurnQueue()
        let (leave, letGo) = AsyncStream<Void>.makeStream()
        let (inside, entered) = AsyncStream<Void>.makeStream()
        let ran = Order()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await queue.withTurn(superseding: 1) {
                    entered.yield()
                    for await _ in leave { break }
                    ran.add("first")
                }
            }
            for await _ in inside { break }
            group.addTask {
                await #expect(throws: TurnQueue.Superseded.self) {
                    try await queue.withTurn(superseding: 2) { ran.add("second") }
                }
            }
            await queue.waiting(atLeast: 1)
            group.addTask { try await queue.withTurn { ran.add("config") } }
            await queue.waiting(atLeast: 2)
            group.addTask { try await queue.withTurn(superseding: 3) { ran.add("third") } }
            // The second has left, the third has come: the config change and the third wait.
            _ = try await group.next()
            await queue.waiting(atLeast: 2)
            letGo.yield()
            try await group.waitForAll()
        }
        #expect(ran.words == ["first", "config", "third"])
    }

    @Test func `a deployment that comes late does not undo a newer one`() async throws {
        let queue = TurnQueue()
        try await queue.withTurn(superseding: 2) {}
        let error = await #expect(throws: TurnQueue.Superseded.self) { try await queue.withTurn(superseding: 1) {} }
        #expect(error?.by == 2)
        try await queue.withTurn(superseding: 3) {}
        try await queue.withTurn {}
    }

    @Test func `one that is cancelled while it waits leaves the queue`() async throws {
        let queue = TurnQueue()
        let (leave, letGo) = AsyncStream<Void>.makeStream()
        let (inside, entered) = AsyncStream<Void>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await queue.withTurn {
                    entered.yield()
                    for await _ in leave { break }
                }
            }
            for await _ in inside { break }
            let waiting = Task { try await queue.withTurn {} }
            await queue.waiting(atLeast: 1)
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            letGo.yield()
            try await group.waitForAll()
        }
        try await queue.withTurn {}
    }

    @Test func `a failure inside lets the next one in`() async throws {
        struct Failure: Error {}
        let queue = TurnQueue()
        await #expect(throws: Failure.self) { try await queue.withTurn { throw Failure() } }
        try await queue.withTurn {}
    }
}

extension TurnQueue {
    /// Returns once that many tasks wait for their turn.
    fileprivate func waiting(atLeast count: Int) async {
        while self.waitingCount < count { await Task.yield() }
    }
}

/// What ran, in order.
private final class Order: Sendable {
    private let state = Mutex<[String]>([])

    var words: [String] { self.state.withLock { $0 } }

    func add(_ word: String) { self.state.withLock { $0.append(word) } }
}
