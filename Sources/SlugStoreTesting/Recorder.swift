import Synchronization

/// Collects what is reported from other threads.
final class Recorder<Value: Sendable>: Sendable {
    private let recorded = Mutex<[Value]>([])

    var values: [Value] { self.recorded.withLock { $0 } }

    func append(_ value: Value) { self.recorded.withLock { $0.append(value) } }
}
