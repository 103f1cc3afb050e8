/// What happens when an instance ends without having been asked to.
public enum RestartPolicy: Codable, Sendable, Hashable {
    /// It stays down.
    case never
    /// It is started again unless it ended with status 0.
    case onFailure(backoff: BackoffPolicy)
    /// It is started again.
    case always(backoff: BackoffPolicy)

    /// The backoff to restart after such an exit with, or nil to leave it down.
    func backoff(after exit: ExitStatus) -> BackoffPolicy? {
        switch self {
        case .never: nil
        case .onFailure(let backoff): exit == .exited(0) ? nil : backoff
        case .always(let backoff): backoff
        }
    }
}

/// How long to wait before each restart: exponential with full jitter.
///
/// The n-th wait is a random time between nothing and `initial × multiplierⁿ⁻¹`, at most `ceiling`. The randomness keeps
/// instances that fell together from rising together. Every time is a day at most.
public struct BackoffPolicy: Codable, Sendable, Hashable {
    /// The upper bound of the first wait.
    public var initial: Duration
    /// The growth from one wait to the next; 1 to 1,000.
    public var multiplier: Double
    /// The upper bound of every wait, but for ``Supervisor/Configuration/restartsPerSecond``.
    public var ceiling: Duration
    /// An instance that has run for so long after it was ready starts anew with the first wait.
    public var stableAfter: Duration
    /// Restarts in a row before the supervisor gives up; nil: it never does.
    public var maxAttempts: Int?

    /// Describes a backoff.
    public init(
        initial: Duration = .seconds(1),
        multiplier: Double = 2,
        ceiling: Duration = .seconds(60),
        stableAfter: Duration = .seconds(60),
        maxAttempts: Int? = nil
    ) {
        self.initial = initial
        self.multiplier = multiplier
        self.ceiling = ceiling
        self.stableAfter = stableAfter
        self.maxAttempts = maxAttempts
    }

    /// The wait before the restart number `attempt` (from 1), or nil when it is time to give up.
    public func delay(beforeAttempt attempt: Int, using randomness: inout some RandomNumberGenerator) -> Duration? {
        if let maxAttempts, attempt > maxAttempts { return nil }
        let bound = self.bound(beforeAttempt: attempt)
        return bound * Double.random(in: 0...1, using: &randomness)
    }

    /// The longest that ``delay(beforeAttempt:using:)`` answers.
    func bound(beforeAttempt attempt: Int) -> Duration {
        var bound = min(self.initial, self.ceiling)
        let factor = self.multiplier.isFinite ? max(self.multiplier, 1) : 1
        // Step by step and not by a power: hostile numbers must not overflow a Duration.
        for _ in 1..<max(attempt, 2) where attempt > 1 {
            if bound >= self.ceiling || factor == 1 || bound <= .zero { break }
            bound = bound > self.ceiling / factor ? self.ceiling : bound * factor
        }
        return max(bound, .zero)
    }
}
