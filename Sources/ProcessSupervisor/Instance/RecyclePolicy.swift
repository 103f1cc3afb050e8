/// When an instance that works is replaced all the same: it is taken out of service, ended with its grace, and started
/// again at once, without a backoff and without counting as a failure.
public struct RecyclePolicy: Codable, Sendable, Hashable {
    /// How long after its process was ready; nil: never for its age. From a second to a year.
    public var maxAge: Duration?
    /// The part of ``maxAge`` by which it may be later, at random, so that instances that were started together are not
    /// replaced together; 0 to 1.
    public var jitter: Double
    /// Bytes of memory beyond which it is replaced; nil: never for its memory. It is looked at as often as
    /// ``Supervisor/Configuration/usageInterval`` says, and only where the launcher counts.
    public var memoryBytes: Int?

    /// Describes when to replace.
    public init(maxAge: Duration? = nil, jitter: Double = 0.1, memoryBytes: Int? = nil) {
        self.maxAge = maxAge
        self.jitter = jitter
        self.memoryBytes = memoryBytes
    }
}
