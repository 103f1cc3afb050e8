public import SystemPackage

extension Supervisor {
    /// How a supervisor works. Every limit has a default.
    public struct Configuration: Sendable {
        /// What becomes of the instances when the supervisor ends.
        public enum ShutdownBehaviour: Sendable, Hashable {
            /// They are stopped, each by its own policy.
            case stopAll
            /// They run on, and the next supervisor of the same state directory takes them over.
            case leaveRunning
        }

        /// Where records and FIFOs are. One supervisor at a time; readable by its owner alone.
        public var stateDirectory: FilePath
        /// The ports that ``PortRequest/allocate`` takes from; loopback, not reachable from elsewhere by themselves. An instance
        /// with an address of its own has the first.
        public var portRange: ClosedRange<Int>
        /// Instances and one-offs at a time.
        public var maxInstances: Int
        /// How many instances are being started or taken over at a time; the others wait. At least 1.
        public var concurrentStarts: Int
        /// Restarts after failures in each second, of all instances together. A wait becomes as much longer as it must, also
        /// beyond its policy's ceiling: a thousand instances that fail together are not restarted together.
        public var restartsPerSecond: Int
        /// Bytes of a line, after which it is cut in pieces.
        public var lineLimit: Int
        /// How long a line without an end is waited for.
        public var partialLineDelay: Duration
        /// How many of its last lines are kept for each instance.
        public var recentLines: Int
        /// How many events a slow subscriber may be behind, before it loses the oldest.
        public var eventBuffer: Int
        /// How long a one-off's output is read after its main process has ended, while others still hold it open.
        public var oneOffDrain: Duration
        /// How long a cancelled or overdue one-off has from SIGTERM to SIGKILL.
        public var oneOffGrace: Duration
        /// How often the supervisor looks at what instances with a limit of memory use, where the launcher counts it. A soft
        /// limit that is exceeded for less may go unnoticed; a hard one is held by the kernel at every instant.
        public var usageInterval: Duration
        /// What becomes of the instances when the supervisor ends.
        public var onShutdown: ShutdownBehaviour

        /// Describes a supervisor.
        public init(
            stateDirectory: FilePath,
            portRange: ClosedRange<Int> = 20000...29999,
            maxInstances: Int = 1000,
            concurrentStarts: Int = 16,
            restartsPerSecond: Int = 20,
            lineLimit: Int = 10_000,
            partialLineDelay: Duration = .milliseconds(500),
            recentLines: Int = 100,
            eventBuffer: Int = 10_000,
            oneOffDrain: Duration = .seconds(2),
            oneOffGrace: Duration = .seconds(10),
            usageInterval: Duration = .seconds(30),
            onShutdown: ShutdownBehaviour = .stopAll
        ) {
            self.stateDirectory = stateDirectory
            self.portRange = portRange
            self.maxInstances = maxInstances
            self.concurrentStarts = concurrentStarts
            self.restartsPerSecond = restartsPerSecond
            self.lineLimit = lineLimit
            self.partialLineDelay = partialLineDelay
            self.recentLines = recentLines
            self.eventBuffer = eventBuffer
            self.oneOffDrain = oneOffDrain
            self.oneOffGrace = oneOffGrace
            self.usageInterval = usageInterval
            self.onShutdown = onShutdown
        }
    }
}
