public import CoreMetrics

/// What swift-metrics asks of a backend.
extension MetricsRegistry {
    /// A counter, written as `…_total`.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        self.counter(label, dimensions: dimensions)
    }

    /// A counter that takes fractions, written as `…_total`.
    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        self.counter(label, dimensions: dimensions)
    }

    /// A gauge.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        self.gauge(label, dimensions: dimensions)
    }

    /// A distribution when `aggregate`, else a gauge.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        aggregate ? self.recorder(label, dimensions: dimensions) : self.gauge(label, dimensions: dimensions)
    }

    /// A histogram of times, written in seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        self.histogram(label, dimensions: dimensions)
    }

    /// Forgets the series; a handle that another holder has of it goes on counting, unseen.
    public func destroyCounter(_ handler: any CounterHandler) {
        self.remove(ObjectIdentifier(handler))
    }

    /// Forgets the series; a handle that another holder has of it goes on counting, unseen.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {
        self.remove(ObjectIdentifier(handler))
    }

    /// Forgets the series; a handle that another holder has of it goes on counting, unseen.
    public func destroyMeter(_ handler: any MeterHandler) {
        self.remove(ObjectIdentifier(handler))
    }

    /// Forgets the series; a handle that another holder has of it goes on counting, unseen.
    public func destroyRecorder(_ handler: any RecorderHandler) {
        self.remove(ObjectIdentifier(handler))
    }

    /// Forgets the series; a handle that another holder has of it goes on counting, unseen.
    public func destroyTimer(_ handler: any TimerHandler) {
        self.remove(ObjectIdentifier(handler))
    }
}
