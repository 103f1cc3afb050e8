/// One instance as it should run.
public struct InstanceSpec: Codable, Sendable, Hashable {
    /// Its name.
    public var id: InstanceID
    /// What to execute.
    public var process: ProcessSpec
    /// The caller's own notes, handed back with every status, event and line.
    public var labels: [String: String]
    /// Whether it serves a port.
    public var port: PortRequest?
    /// Of all instances with the same text, one at most has a process: while there is one, whatever its state, another is
    /// refused. Nil: nobody is refused. At most 200 bytes.
    public var singleton: String?
    /// How to tell that it has started up; nil: as soon as it is executed.
    public var startup: StartupCheck?
    /// How to tell that it can take work. Nil: ready as soon as it has started up, as workers are.
    public var readiness: Probe?
    /// How long after its start it may take to become ready, before it is stopped and restarted. Up to a day.
    public var bootTimeout: Duration
    /// How to tell that it still works. When it does not, it is stopped and restarted. Begins when it has started up, or,
    /// without a startup check, when it is ready.
    public var liveness: Probe?
    /// What is run beside it when it was started; nil: nothing.
    public var postStart: LifecycleCommand?
    /// What is run before it is told to end, but not when it has ended by itself or been killed for its memory; nil:
    /// nothing.
    public var preStop: LifecycleCommand?
    /// What happens when it ends by itself.
    public var restart: RestartPolicy
    /// When it is replaced though it works; nil: never.
    public var recycling: RecyclePolicy?
    /// How it is ended.
    public var stop: StopPolicy
    /// How much it may write.
    public var output: OutputPolicy

    /// Describes an instance.
    public init(
        id: InstanceID,
        process: ProcessSpec,
        labels: [String: String] = [:],
        port: PortRequest? = nil,
        singleton: String? = nil,
        startup: StartupCheck? = nil,
        readiness: Probe? = nil,
        bootTimeout: Duration = .seconds(60),
        liveness: Probe? = nil,
        postStart: LifecycleCommand? = nil,
        preStop: LifecycleCommand? = nil,
        restart: RestartPolicy = .always(backoff: BackoffPolicy()),
        recycling: RecyclePolicy? = nil,
        stop: StopPolicy = StopPolicy(),
        output: OutputPolicy = OutputPolicy()
    ) {
        self.id = id
        self.process = process
        self.labels = labels
        self.port = port
        self.singleton = singleton
        self.startup = startup
        self.readiness = readiness
        self.bootTimeout = bootTimeout
        self.liveness = liveness
        self.postStart = postStart
        self.preStop = preStop
        self.restart = restart
        self.recycling = recycling
        self.stop = stop
        self.output = output
    }

    /// Reads a specification. What was recorded by a version that did not know a part of it has the default there.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            id: try container.decode(InstanceID.self, forKey: .id),
            process: try container.decode(ProcessSpec.self, forKey: .process),
            labels: try container.decode([String: String].self, forKey: .labels),
            port: try container.decodeIfPresent(PortRequest.self, forKey: .port),
            singleton: try container.decodeIfPresent(String.self, forKey: .singleton),
            startup: try container.decodeIfPresent(StartupCheck.self, forKey: .startup),
            readiness: try container.decodeIfPresent(Probe.self, forKey: .readiness),
            bootTimeout: try container.decode(Duration.self, forKey: .bootTimeout),
            liveness: try container.decodeIfPresent(Probe.self, forKey: .liveness),
            postStart: try container.decodeIfPresent(LifecycleCommand.self, forKey: .postStart),
            preStop: try container.decodeIfPresent(LifecycleCommand.self, forKey: .preStop),
            restart: try container.decode(RestartPolicy.self, forKey: .restart),
            recycling: try container.decodeIfPresent(RecyclePolicy.self, forKey: .recycling),
            stop: try container.decode(StopPolicy.self, forKey: .stop),
            output: try container.decodeIfPresent(OutputPolicy.self, forKey: .output) ?? OutputPolicy())
    }
}

/// Which port an instance serves. Its number is in the environment variable `PORT`.
public enum PortRequest: Codable, Sendable, Hashable {
    /// A free one of the supervisor's range, anew for each start; the first of it, where instances have addresses of their own.
    case allocate
    /// This one, which nobody else may listen on when the process is started.
    case fixed(Int)
}

/// How an instance is ended.
public struct StopPolicy: Codable, Sendable, Hashable {
    /// The signal that asks every process of the instance to end; 15 is SIGTERM.
    public var signal: Int32
    /// How long they have before SIGKILL, the command before the signal included. Up to a week.
    public var grace: Duration

    /// Describes a way to end.
    public init(signal: Int32 = 15, grace: Duration = .seconds(30)) {
        self.signal = signal
        self.grace = grace
    }
}
