/// What becomes of an instance that writes faster than anybody can read.
public struct OutputPolicy: Codable, Sendable, Hashable {
    /// What happens to what is too much.
    public enum Excess: String, Codable, Sendable {
        /// It is left in the pipe until its time comes; the process waits when that is full.
        case wait
        /// Its lines are dropped and counted (``SupervisorEvent/Kind/outputDropped(lines:bytes:)``); the process never waits.
        case drop
    }

    /// Bytes per second, in the long run; 1 KiB to 1 GiB.
    public var bytesPerSecond: Int
    /// Bytes that may come at once after a silence; 64 KiB to 1 GiB.
    public var burstBytes: Int
    /// What happens to what is too much.
    public var excess: Excess

    /// Describes a policy.
    public init(bytesPerSecond: Int = 8 << 20, burstBytes: Int = 16 << 20, excess: Excess = .wait) {
        self.bytesPerSecond = bytesPerSecond
        self.burstBytes = burstBytes
        self.excess = excess
    }
}
