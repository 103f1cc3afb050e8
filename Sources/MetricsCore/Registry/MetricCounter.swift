public import CoreMetrics
internal import Synchronization

/// A number that only grows: requests served, bytes sent.
///
/// Keep the handle where you count; an increment is one atomic addition. Amounts below zero and amounts that are not
/// finite are ignored, because a scraper reads a falling counter as a restart.
public final class MetricCounter: CounterHandler, FloatingPointCounterHandler, Sendable {
    private let whole = Atomic<Int64>(0)
    private let fraction = Atomic<UInt64>(0)

    init() {}

    /// The amount counted so far.
    public var value: Double {
        Double(self.whole.load(ordering: .relaxed)) + Double(bitPattern: self.fraction.load(ordering: .relaxed))
    }

    /// Adds `amount`.
    public func increment(by amount: Int = 1) {
        guard amount > 0 else { return }
        self.whole.wrappingAdd(Int64(amount), ordering: .relaxed)
    }

    /// Adds `amount`.
    public func increment(by amount: Int64) {
        guard amount > 0 else { return }
        self.whole.wrappingAdd(amount, ordering: .relaxed)
    }

    /// Adds `amount`, which may have a fractional part.
    public func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        self.fraction.add(amount)
    }

    /// Begins anew at zero.
    public func reset() {
        self.whole.store(0, ordering: .relaxed)
        self.fraction.store(0, ordering: .relaxed)
    }

    /// The value as text, exact while only whole amounts were added.
    var text: String {
        let bits = self.fraction.load(ordering: .relaxed)
        if bits == 0 { return String(self.whole.load(ordering: .relaxed)) }
        return PrometheusText.number(self.value)
    }
}

extension Atomic where Value == UInt64 {
    /// Adds to a `Double` that is kept as its bit pattern.
    func add(_ amount: Double) {
        var current = self.load(ordering: .relaxed)
        while true {
            let desired = (Double(bitPattern: current) + amount).bitPattern
            let (exchanged, original) = self.weakCompareExchange(
                expected: current, desired: desired, ordering: .relaxed)
            if exchanged { return }
            current = original
        }
    }
}
