public import CoreMetrics
internal import Synchronization

/// A number that goes up and down: open connections, queued requests, bytes in use.
public final class MetricGauge: MeterHandler, RecorderHandler, Sendable {
    private let bits = Atomic<UInt64>(0)

    init() {}

    /// The value now.
    public var value: Double { Double(bitPattern: self.bits.load(ordering: .relaxed)) }

    /// Replaces the value.
    public func set(_ value: Int) {
        self.set(Double(value))
    }

    /// Replaces the value.
    public func set(_ value: Int64) {
        self.set(Double(value))
    }

    /// Replaces the value.
    public func set(_ value: Double) {
        self.bits.store(value.bitPattern, ordering: .relaxed)
    }

    /// Adds `amount`; one that is not finite is ignored.
    public func increment(by amount: Double = 1) {
        guard amount.isFinite else { return }
        self.bits.add(amount)
    }

    /// Subtracts `amount`; one that is not finite is ignored.
    public func decrement(by amount: Double = 1) {
        self.increment(by: -amount)
    }

    /// Replaces the value; what swift-metrics calls for a gauge.
    public func record(_ value: Int64) {
        self.set(value)
    }

    /// Replaces the value; what swift-metrics calls for a gauge.
    public func record(_ value: Double) {
        self.set(value)
    }
}
