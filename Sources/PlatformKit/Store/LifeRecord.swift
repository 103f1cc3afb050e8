/// How instances of a process type are found well, and how they end, as `app.json` of the release says.
///
/// Rows of versions that knew of nothing but readiness are read as what they meant.
public struct LifeRecord: Sendable, Hashable, Codable {
    /// How an instance is found to have started up; `nil`: as soon as it runs.
    public var startup: CheckRecord?
    /// The number of a descriptor to which it writes a line when it has started up; `nil`: it does not tell.
    public var startupDescriptor: Int32?
    /// How it is found able to take work; `nil`: as soon as it has started up.
    public var readiness: CheckRecord?
    /// How it is found to work still; `nil`: it is not asked.
    public var liveness: CheckRecord?
    /// How long it may take until it is ready, in seconds.
    public var bootTimeoutSeconds: Int
    /// The number of the signal that asks it to end.
    public var stopSignal: Int32 = 15
    /// How many seconds it then has; `nil` for the platform's grace.
    public var stopGraceSeconds: Int?
    /// Whether two must never run at once.
    public var isSingleton = false
    /// After how many seconds it is replaced though it works.
    public var recycleAfterSeconds: Int?
    /// Beyond how many bytes of memory it is replaced though it works.
    public var recycleMemoryBytes: Int?
    /// Shell text to run before it is told to end.
    public var preStop: String?
    /// Shell text to run beside it when it was started.
    public var postStart: String?
    /// How much it may write; `nil` for the supervisor's measure.
    public var output: OutputRecord?

    /// Makes one that says nothing but how long the start may take.
    public init(bootTimeoutSeconds: Int = 60) { self.bootTimeoutSeconds = bootTimeoutSeconds }

    private enum FormerKeys: String, CodingKey { case path }

    /// Reads what is written now, or was in earlier versions.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(bootTimeoutSeconds: try container.decode(Int.self, forKey: .bootTimeoutSeconds))
        guard let isSingleton = try container.decodeIfPresent(Bool.self, forKey: .isSingleton) else {
            // A row of before: a path to ask, or none, which meant the port.
            let path = try decoder.container(keyedBy: FormerKeys.self).decodeIfPresent(String.self, forKey: .path)
            self.readiness = CheckRecord(path.map { .http(path: $0, headers: [:], content: nil) } ?? .listening)
            return
        }
        self.isSingleton = isSingleton
        self.startup = try container.decodeIfPresent(CheckRecord.self, forKey: .startup)
        self.readiness = try container.decodeIfPresent(CheckRecord.self, forKey: .readiness)
        self.liveness = try container.decodeIfPresent(CheckRecord.self, forKey: .liveness)
        self.stopSignal = try container.decodeIfPresent(Int32.self, forKey: .stopSignal) ?? self.stopSignal
        self.stopGraceSeconds = try container.decodeIfPresent(Int.self, forKey: .stopGraceSeconds)
        self.recycleAfterSeconds = try container.decodeIfPresent(Int.self, forKey: .recycleAfterSeconds)
        self.recycleMemoryBytes = try container.decodeIfPresent(Int.self, forKey: .recycleMemoryBytes)
        self.preStop = try container.decodeIfPresent(String.self, forKey: .preStop)
        self.postStart = try container.decodeIfPresent(String.self, forKey: .postStart)
        self.startupDescriptor = try container.decodeIfPresent(Int32.self, forKey: .startupDescriptor)
        self.output = try container.decodeIfPresent(OutputRecord.self, forKey: .output)
    }

    /// Whether a check asks the instance's port, so that there has to be one.
    var asksPort: Bool {
        [self.startup, self.readiness, self.liveness].contains { check in
            switch check?.question {
            case .listening, .http: true
            case .command, nil: false
            }
        }
    }
}

/// How much an instance may write, in bytes; `nil` for the supervisor's measure.
public struct OutputRecord: Sendable, Hashable, Codable {
    /// Per second, in the long run.
    public var rate: Int?
    /// At once, after a silence.
    public var burst: Int?
    /// Whether lines that are too much are dropped and counted, rather than that the instance waits.
    public var drops: Bool

    /// Makes one from its parts.
    public init(rate: Int? = nil, burst: Int? = nil, drops: Bool = false) {
        self.rate = rate
        self.burst = burst
        self.drops = drops
    }
}

/// A question to an instance, asked again and again. Times are in seconds.
public struct CheckRecord: Sendable, Hashable, Codable {
    /// What is asked.
    public enum Question: Sendable, Hashable, Codable {
        /// Whether a connection to the port is accepted.
        case listening
        /// Whether a request for the path is answered with an expected status, and with that text in its body.
        case http(path: String, headers: [String: String], content: String?)
        /// Whether a program ends with status 0.
        case command([String])
    }

    /// What is asked.
    public var question: Question
    /// How long the first question waits.
    public var initialDelay: Int
    /// The pause between two questions, once the instance was ready.
    public var wait: Int
    /// How long an answer may take.
    public var timeout: Int
    /// How many bad answers in a row make the instance unready or dead.
    public var attempts: Int
    /// How many good answers in a row make it ready; `nil` for one.
    public var successes: Int?
    /// The statuses that are expected; `nil` for 2xx and 3xx.
    public var statuses: [ClosedRange<Int>]?

    /// Makes one from its parts.
    public init(
        _ question: Question, initialDelay: Int = 0, wait: Int = 5, timeout: Int = 5, attempts: Int = 3,
        successes: Int? = nil, statuses: [ClosedRange<Int>]? = nil
    ) {
        self.question = question
        self.initialDelay = initialDelay
        self.wait = wait
        self.timeout = timeout
        self.attempts = attempts
        self.successes = successes
        self.statuses = statuses
    }
}
