/// Tells several observers about every request, one after the other.
public struct RequestObservers: RequestObserver {
    private let observers: [any RequestObserver]

    /// Makes one that tells these, in this order.
    public init(_ observers: [any RequestObserver]) { self.observers = observers }

    /// Tells each of them.
    public func requestsFinished(_ requests: RequestBatch) {
        for observer in self.observers { observer.requestsFinished(requests) }
    }
}
