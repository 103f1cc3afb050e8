#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif
#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The time of the recorder: the machine's, or one that a test moves.
struct SignalClock: Sendable {
    // Asked separately, because loading a closure to call it counts a reference that all threads share.
    private let isMachine: Bool
    private let now: @Sendable () -> Date

    init(now: (@Sendable () -> Date)?) {
        self.isMachine = now == nil
        self.now = now ?? { Date() }
    }

    /// The time in nanoseconds since whenever.
    var nanoseconds: Int64 {
        if self.isMachine { return Self.machine() }
        // Times before 1970 or after 2262 make no sense here and must not trap.
        return Int64(exactly: (self.now().timeIntervalSince1970 * 1e9).rounded()) ?? 0
    }

    /// A monotonic clock that is right to a few milliseconds: 5 ns to read, where the precise one takes 26 ns.
    private static func machine() -> Int64 {
        var time = timespec()
        #if os(Linux)
            clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        #else
            clock_gettime(CLOCK_MONOTONIC, &time)
        #endif
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
