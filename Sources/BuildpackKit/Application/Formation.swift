extension AppManifest {
    /// How a process type is to be run: how many, how large, and how their lives end.
    public struct Formation: Hashable, Codable, Sendable {
        /// The number of instances at first.
        public var quantity: Int?
        /// The name of a size.
        public var size: String?
        /// The signal that asks an instance to end; `nil` for the platform's.
        public var stopSignal: StopSignal?
        /// How many seconds it then has; `nil` for the platform's grace. A day at most.
        public var stopGrace: Int?
        /// Whether two of it must never run at once, not even for the moment of a rollout.
        public var singleton: Bool
        /// When an instance is replaced though it works.
        public var recycle: Recycling?
        /// Shell text to run before an instance is told to end.
        public var preStop: String?
        /// Shell text to run beside an instance that was started.
        public var postStart: String?
        /// How much an instance may write; `nil` for the platform's measure.
        public var output: Output?

        /// Creates a formation.
        public init(
            quantity: Int? = nil, size: String? = nil, stopSignal: StopSignal? = nil, stopGrace: Int? = nil,
            singleton: Bool = false, recycle: Recycling? = nil, preStop: String? = nil, postStart: String? = nil,
            output: Output? = nil
        ) {
            self.quantity = quantity
            self.size = size
            self.stopSignal = stopSignal
            self.stopGrace = stopGrace
            self.singleton = singleton
            self.recycle = recycle
            self.preStop = preStop
            self.postStart = postStart
            self.output = output
        }
    }

    /// A signal that servers understand as the wish that they end.
    public enum StopSignal: String, Hashable, Codable, Sendable, CaseIterable {
        /// What most programs end at.
        case term = "SIGTERM"
        /// Ctrl-C.
        case interrupt = "SIGINT"
        /// The graceful end of nginx and of uWSGI.
        case quit = "SIGQUIT"
        /// The end of a terminal.
        case hangup = "SIGHUP"
        /// For programs that say so.
        case user1 = "SIGUSR1"
        /// For programs that say so.
        case user2 = "SIGUSR2"
        /// The graceful end of Apache.
        case windowChange = "SIGWINCH"
    }

    /// How much an instance may write, and what happens to what is more.
    public struct Output: Hashable, Codable, Sendable {
        /// Bytes per second, in the long run; `nil` for the platform's. 1 GiB at most.
        public var rate: Int?
        /// Bytes at once after a silence; `nil` for the platform's. 1 GiB at most.
        public var burst: Int?
        /// Whether lines are dropped and counted, rather than that the instance waits.
        public var drops: Bool

        /// Creates a measure.
        public init(rate: Int? = nil, burst: Int? = nil, drops: Bool = false) {
            self.rate = rate
            self.burst = burst
            self.drops = drops
        }
    }

    /// When an instance is replaced though it works.
    public struct Recycling: Hashable, Codable, Sendable {
        /// After so many seconds of work, and up to a tenth more; `nil`: never for its age. A minute to a year.
        public var after: Int?
        /// When it uses more bytes than these; `nil`: never for its memory.
        public var memory: Int?

        /// Creates a wish to recycle.
        public init(after: Int? = nil, memory: Int? = nil) {
            self.after = after
            self.memory = memory
        }
    }
}
