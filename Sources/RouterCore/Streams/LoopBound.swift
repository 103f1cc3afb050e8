/// Carries something that belongs to one loop's thread through other threads, which cannot touch it.
///
/// - Note: `@unchecked Sendable`, because `value` is used by work that runs on the loop's own thread alone, and that is
///   checked each time. It is also let go of there, or after the loop has ended.
final class LoopBound<Value>: @unchecked Sendable {
    private let value: Value
    private let executor: any LoopExecutor

    init(_ value: Value, _ executor: any LoopExecutor) {
        self.value = value
        self.executor = executor
    }

    /// Has the loop do something with it; false when the loop has ended.
    @discardableResult
    func execute(_ work: @escaping @Sendable (Value) -> Void) -> Bool {
        self.executor.execute { self.withValue(work) }
    }

    /// On the loop's thread only.
    func withValue<R>(_ body: (Value) throws -> R) rethrows -> R {
        precondition(self.executor.isCurrent, "used outside its loop")
        return try body(self.value)
    }
}
