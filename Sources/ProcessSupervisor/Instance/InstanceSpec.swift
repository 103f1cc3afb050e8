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
    /// How to tell that it can take work. Nil: ready as soon as it has started, as workers are.
    public var readiness: Probe?
    /// How long after its start it may take to become ready, before it is stopped and restarted.
    public var bootTimeout: Duration
    /// How to tell that it still works. When it does not, it is stopped and restarted. Begins when it is ready.
    public var liveness: Probe?
    /// What happens when it ends by itself.
    public var restart: RestartPolicy
    /// How it is ended.
    public var stop: StopPolicy

    /// Describes an instance.
    public init(
        id: InstanceID,
        process: ProcessSpec,
        labels: [String: String] = [:],
        port: PortRequest? = nil,
        readiness: Probe? = nil,
        bootTimeout: Duration = .seconds(60),
        liveness: Probe? = nil,
        restart: RestartPolicy = .always(backoff: BackoffPolicy()),
        stop: StopPolicy = StopPolicy()
    ) {
        self.id = id
        self.process = process
        self.labels = labels
        self.port = port
        self.readiness = readiness
        self.bootTimeout = bootTimeout
        self.liveness = liveness
        self.restart = restart
        self.stop = stop
    }
}

/// Which port an instance serves. Its number is in the environment variable `PORT`.
public enum PortRequest: Codable, Sendable, Hashable {
    /// A free one of the supervisor's range, anew for each start.
    case allocate
    /// This one.
    case fixed(Int)
}

/// How an instance is ended.
public struct StopPolicy: Codable, Sendable, Hashable {
    /// The signal that asks every process of the instance to end; 15 is SIGTERM.
    public var signal: Int32
    /// How long they have before SIGKILL.
    public var grace: Duration

    /// Describes a way to end.
    public init(signal: Int32 = 15, grace: Duration = .seconds(30)) {
        self.signal = signal
        self.grace = grace
    }
}
