import NIOCore
import Synchronization

@testable import RouterCore

/// The loop of a simulated world: time stands still until the world moves it.
final class SimulatedLoop: StreamLoop, Participant {
    private unowned let world: World
    let executor = SimulatedExecutor()
    let ledger = BufferLedger()
    var time: UInt64 = 1_000_000_000_000
    private(set) var soon: [() -> Void] = []

    init(_ world: World) { self.world = world }

    func now() -> UInt64 { self.time }
    func callSoon(_ work: @escaping () -> Void) { self.soon.append(work) }

    func doSoon() {
        let work = self.soon
        self.soon = []
        self.time += 5_000_000
        for item in work { item() }
    }

    func connect(to instance: Instance, completion: @escaping ((any ByteStream)?) -> Void) -> any PendingConnection {
        let connecting = SimulatedConnecting(instance, self.world, completion)
        if self.world.chance(20) { connecting.run() } else { self.world.add(connecting) }
        return connecting
    }

    // MARK: What other threads have sent

    var isOver: Bool { false }

    var isRunnable: Bool { !self.executor.work.withLock { $0.isEmpty } }

    func run() {
        let item = self.executor.work.withLock { $0.removeFirst() }
        item()
    }
}

final class SimulatedExecutor: LoopExecutor {
    let work = Mutex<[@Sendable () -> Void]>([])
    var isCurrent: Bool { true }

    func execute(_ work: @escaping @Sendable () -> Void) -> Bool {
        self.work.withLock { $0.append(work) }
        return true
    }
}

/// A connection to a simulated instance that is being made.
final class SimulatedConnecting: PendingConnection, Participant {
    private let instance: Instance
    private unowned let world: World
    private var completion: (((any ByteStream)?) -> Void)?

    init(_ instance: Instance, _ world: World, _ completion: @escaping ((any ByteStream)?) -> Void) {
        self.instance = instance
        self.world = world
        self.completion = completion
    }

    var isOver: Bool { self.completion == nil }
    var isRunnable: Bool { self.completion != nil && !self.world.isBlackHole(self.instance) }

    func cancel() {
        self.completion = nil
        self.world.log("connecting to \(self.instance.id) is given up")
    }

    func run() {
        guard self.isRunnable, let completion = self.completion else { return }
        self.completion = nil
        completion(self.world.accept(self.instance))
    }
}
