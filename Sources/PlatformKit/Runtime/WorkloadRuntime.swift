public import MetricsCore
public import PlatformWire

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Where releases run.
///
/// The control plane decides which instances there should be and which of them get requests; a runtime makes it so.
/// ``LocalRuntime`` is this machine.
///
/// ## Promises a conformer keeps
/// - `start` is not idempotent: each call is one more instance, found by `instances(of:)` from the moment it returns.
/// - Instances outlive the control plane; after `waitUntilAdopted` has returned, `instances(of:)` lists those that a
///   former one left.
/// - `setRoute` takes effect for the next request, as one step. `drain` returns when no request is in flight to the
///   given instances, or after the grace.
/// - `stop` returns when no process of the instance is left, also when it was being stopped already.
/// - An instance has the user of its request, also when another control plane started it: by that its storage changes hands.
/// - Of a process type whose ``LifeRecord/isSingleton`` is set there are never two: a `start` that would make it so is
///   refused.
public protocol WorkloadRuntime: Sendable {
    /// Returns when what a former control plane left is known again.
    func waitUntilAdopted() async throws
    /// All instances of an application, in any state.
    func instances(of applicationID: String) -> [WorkloadInstance]
    /// The applications that have instances here.
    func applicationIDs() -> Set<String>
    /// All instances by application, at once.
    func instancesByApplication() -> [String: [WorkloadInstance]]
    /// Starts one more instance; returns when its process exists.
    func start(_ request: WorkloadRequest) async throws(PlatformError) -> WorkloadInstance
    /// Returns when the instance is ready; throws `refused` with the cause when it ends or takes too long.
    func waitUntilReady(_ id: String) async throws(PlatformError)
    /// Stops an instance and forgets it.
    func stop(_ id: String) async
    /// Ends the present process of an instance and starts it again.
    func restart(_ id: String) async throws(PlatformError)
    /// Routes an application's hosts to these instances.
    func setRoute(_ route: WorkloadRoute) throws(PlatformError)
    /// Forgets an application's route.
    func removeRoute(of applicationID: String)
    /// Waits until nothing is in flight to the instances, which must have left the route before.
    func drain(_ ids: [String], grace: Duration) async
    /// Runs a command with a release; returns how it ended, when all of its output has been taken.
    func runOneOff(
        _ request: WorkloadRequest, timeout: Duration?, session: OneOffSession
    ) async throws(PlatformError) -> WorkloadExit
    /// Changes of instances, from the moment of the call.
    func events() -> AsyncStream<WorkloadEvent>
    /// What the runtime has counted by itself, such as requests, to be written among the platform's metrics.
    ///
    /// - Parameter names: the names of applications, for the label `app`. One that has no name any more is left out.
    func readings(names: ApplicationNames) async -> [MetricReading]
}

extension WorkloadRuntime {
    /// Nothing: for a runtime that counts nothing.
    public func readings(names: ApplicationNames) async -> [MetricReading] { [] }

    /// One application after the other.
    public func instancesByApplication() -> [String: [WorkloadInstance]] {
        Dictionary(uniqueKeysWithValues: self.applicationIDs().map { ($0, self.instances(of: $0)) })
    }
}

/// What is wanted of one instance.
public struct WorkloadRequest: Sendable {
    /// Whose instance it is.
    public var applicationID: String
    /// The process type, such as `web`.
    public var processType: String
    /// Its number within the type, from 1.
    public var number: Int
    /// The release that it runs.
    public var release: Int
    /// Grows with each instance of an application: of two in one place, the higher is the newer.
    public var serial: Int
    /// The slug of the release.
    public var slug: String
    /// Shell text of the process type, or the words of a one-off.
    public var command: Command
    /// The complete environment, but for `HOME`, `PATH` and `PORT`, which the runtime knows.
    public var environment: [String: String]
    /// How it is found well, and how it ends.
    public var life: LifeRecord
    /// Whether it gets a port to listen on.
    public var needsPort: Bool
    /// How long it may take to end after it was asked to.
    public var stopGrace: Duration
    /// What it may use at most.
    public var size: InstanceSize
    /// The number of the user that it runs as, which is its application's alone; `nil` for the platform's own.
    public var user: UInt32?
    /// A directory, absolute, that stays when it has ended and is its application's: it may write there, and finds the path in
    /// `SLIPWAY_STORAGE`. `nil` for none.
    public var storage: String?

    /// What to run.
    public enum Command: Sendable, Hashable {
        /// A line for the shell, as a Procfile has it.
        case shell(String)
        /// A program and its arguments.
        case arguments([String])
    }

    /// Makes one from its parts.
    public init(
        applicationID: String, processType: String, number: Int, release: Int, serial: Int, slug: String,
        command: Command, environment: [String: String], life: LifeRecord, needsPort: Bool,
        stopGrace: Duration, size: InstanceSize = .unlimited, user: UInt32? = nil, storage: String? = nil
    ) {
        self.applicationID = applicationID
        self.processType = processType
        self.number = number
        self.release = release
        self.serial = serial
        self.slug = slug
        self.command = command
        self.environment = environment
        self.life = life
        self.needsPort = needsPort
        self.stopGrace = stopGrace
        self.size = size
        self.user = user
        self.storage = storage
    }

    /// The name people use: `web.1`.
    public var name: String { "\(self.processType).\(self.number)" }
}

/// One instance as the runtime sees it.
public struct WorkloadInstance: Sendable, Hashable {
    /// Where an instance stands.
    public enum Phase: String, Sendable, Hashable {
        case starting, ready, unready, backingOff, stopping, failed, stopped
    }

    /// Unique among all instances that there ever were.
    public var id: String
    /// Whose instance it is.
    public var applicationID: String
    /// The process type.
    public var processType: String
    /// Its number within the type.
    public var number: Int
    /// The release that it runs.
    public var release: Int
    /// Of two in one place, the higher is the newer.
    public var serial: Int
    /// Where it stands.
    public var phase: Phase
    /// Its process identifier while it runs.
    public var pid: Int32?
    /// The port that it was given.
    public var port: Int?
    /// The address that it has that port at; `nil` for one that the runtime does not tell.
    public var host: String?
    /// When its present process started.
    public var startedAt: Date?
    /// How often it was started again.
    public var restarts: Int
    /// How its last process ended, or for what that was ended, in words.
    public var lastExit: String?
    /// What the last probe saw, in words.
    public var lastProbe: String?
    /// The size that limits it, by name; `nil` for one of before there were sizes.
    public var size: String?
    /// The number of the user that it runs as; `nil` for the platform's own.
    public var user: UInt32?

    /// Makes one from its parts.
    public init(
        id: String, applicationID: String, processType: String, number: Int, release: Int, serial: Int, phase: Phase,
        pid: Int32? = nil, port: Int? = nil, host: String? = nil, startedAt: Date? = nil, restarts: Int = 0,
        lastExit: String? = nil,
        lastProbe: String? = nil, size: String? = nil, user: UInt32? = nil
    ) {
        self.id = id
        self.applicationID = applicationID
        self.processType = processType
        self.number = number
        self.release = release
        self.serial = serial
        self.phase = phase
        self.pid = pid
        self.port = port
        self.host = host
        self.startedAt = startedAt
        self.restarts = restarts
        self.lastExit = lastExit
        self.lastProbe = lastProbe
        self.size = size
        self.user = user
    }

    /// The name people use: `web.1`.
    public var name: String { "\(self.processType).\(self.number)" }

    /// Whether it has no process, and will have none.
    var isOver: Bool { self.phase == .failed || self.phase == .stopped }
}

/// Where requests for an application go.
public struct WorkloadRoute: Sendable, Hashable {
    /// Whose hosts these are.
    public var applicationID: String
    /// The hosts.
    public var hosts: [String]
    /// The instances that get requests.
    public var instances: [String]
    /// Whether the maintenance page is served instead.
    public var maintenance: Bool
    /// How long requests wait while there is no instance that takes them; `nil`: they are answered 503 at once.
    public var hold: Duration?
    /// What is said about HTTPS; `nil` when it is not served.
    public var https: HTTPS?

    /// How an application is reached over HTTPS.
    public struct HTTPS: Sendable, Hashable {
        /// The port that it is served at.
        public var port: Int
        /// Whether visitors who come without TLS are sent there.
        public var isEnforced: Bool
        /// For how long browsers are to come with TLS only; `nil` for not at all.
        public var strictFor: Duration?

        /// Makes one from its parts.
        public init(port: Int, isEnforced: Bool, strictFor: Duration?) {
            self.port = port
            self.isEnforced = isEnforced
            self.strictFor = strictFor
        }
    }

    /// Makes one from its parts.
    public init(applicationID: String, hosts: [String], instances: [String], maintenance: Bool) {
        self.applicationID = applicationID
        self.hosts = hosts
        self.instances = instances
        self.maintenance = maintenance
    }
}

/// How a one-off ended.
public struct WorkloadExit: Sendable, Hashable {
    /// The status as a shell reports it: the command's own, or 128 and the signal.
    public var status: Int32
    /// The same in words.
    public var description: String

    /// Makes one from its parts.
    public init(status: Int32, description: String) {
        self.status = status
        self.description = description
    }
}

/// Something that happened to an instance.
public struct WorkloadEvent: Sendable {
    /// Whose instance.
    public var applicationID: String
    /// Its name: `web.1`.
    public var name: String
    /// What happened, for the application's log; `nil` when it says nothing to people.
    public var text: String?
    /// Whether it is a restart after a crash.
    public var isCrash: Bool

    /// Makes one from its parts.
    public init(applicationID: String, name: String, text: String?, isCrash: Bool = false) {
        self.applicationID = applicationID
        self.name = name
        self.text = text
        self.isCrash = isCrash
    }
}
