public import SystemPackage

/// Starts processes: plainly on the host, in a sandbox, under an OCI runtime.
///
/// ## Promises a conformer keeps
/// - A launched process leads a session of its own and ends only when told to: it outlives the host.
/// - Its environment carries ``LaunchRequest/markerVariable``, by which a later host finds what a dead one started.
/// - `launch` returns when the program is executed; it throws when it is not, and then nothing of it is left.
/// - Its limits hold as ``enforcements`` says: an instance gets no less protection than was told.
/// - The output's FIFO is held open for reading and writing by the process itself, so that the end of the host
///   neither kills it nor loses what it writes.
public protocol Launcher: Sendable {
    /// Starts a process. Throws `launchFailed`. Not cancellable: it takes milliseconds.
    func launch(_ request: LaunchRequest) async throws(SupervisorError) -> LaunchedProcess

    /// Takes over the process that a former host recorded, or returns nil when its main process has ended; whatever
    /// else there was of it has then been killed. A record without a process number was written just before the start.
    func adopt(_ record: InstanceRecord) async throws(SupervisorError) -> LaunchedProcess?

    /// Called once, when the supervisor begins to run. Returns what an operator should know of what instances are not kept from
    /// on this machine though they could be, in words; the supervisor logs it.
    func prepare() throws(SupervisorError) -> [String]

    /// Whether each instance has an address of its own, where it may listen on any port whoever listens elsewhere. The same
    /// for as long as the launcher is there.
    var givesAddresses: Bool { get }

    /// What holds each limit, and for whom. The supervisor logs it once, when it begins to run.
    var enforcements: [LimitEnforcement] { get }

    /// Ends whatever a former host has started and is not among these starts, which it recorded. Called once, before
    /// anything is adopted or started, and not when a record cannot be read.
    func endLeftovers(except startIDs: Set<String>) async

    /// How often ``sweep()`` wants to be called; nil: never.
    var sweepInterval: Duration? { get }

    /// Housekeeping, such as collecting ended orphans.
    func sweep() async
}

extension Launcher {
    /// Prepares nothing.
    public func prepare() throws(SupervisorError) -> [String] { [] }
    /// Instances share the host's addresses.
    public var givesAddresses: Bool { false }
    /// Says nothing about limits.
    public var enforcements: [LimitEnforcement] { [] }
    /// Leaves nothing behind.
    public func endLeftovers(except startIDs: Set<String>) async {}
    /// Needs no housekeeping.
    public var sweepInterval: Duration? { nil }
    /// Has nothing to do.
    public func sweep() async {}
}

/// One start of a process.
public struct LaunchRequest: Sendable {
    /// The environment variable that marks the processes of a start, whatever they do to their session.
    public static let markerVariable = "SLIPWAY_INSTANCE"

    /// The environment variable with the address of an instance that has one of its own.
    public static let addressVariable = "SLIPWAY_ADDRESS"

    /// Where standard output and standard error go, both to the same place.
    public enum Output: Sendable {
        /// An existing FIFO, which the process is to hold open for reading and writing.
        case fifo(FilePath)
        /// An open descriptor of this process.
        case descriptor(FileDescriptor)
        /// Nowhere.
        case discard
    }

    /// A descriptor that a process gets beside the three standard ones.
    public struct Notification: Sendable {
        /// An open descriptor of this process.
        public var descriptor: FileDescriptor
        /// Its number in the new process, 3 to 255.
        public var number: Int32

        /// Describes a descriptor.
        public init(descriptor: FileDescriptor, number: Int32) {
            self.descriptor = descriptor
            self.number = number
        }
    }

    /// The instance.
    public var id: InstanceID
    /// What no other start has; the value of the marker variable. What is started on behalf of a running instance, as a
    /// probe's command is, has `<the instance's>.<more>`: it shares the instance's limits and is ended with it.
    public var startID: String
    /// What to execute, its environment complete with the marker and the port.
    public var process: ProcessSpec
    /// Where its output goes.
    public var output: Output
    /// Its standard input, an open descriptor of this process; nil: empty.
    public var input: FileDescriptor?
    /// One descriptor more, by which it tells that it has started up; nil: none.
    public var notification: Notification?
    /// Whether `input` is a terminal, which becomes the one that controls the process's session.
    public var hasTerminal: Bool

    /// Describes a start.
    public init(
        id: InstanceID, startID: String, process: ProcessSpec, output: Output, input: FileDescriptor? = nil,
        notification: Notification? = nil, hasTerminal: Bool = false
    ) {
        self.id = id
        self.startID = startID
        self.process = process
        self.output = output
        self.input = input
        self.notification = notification
        self.hasTerminal = hasTerminal
    }
}

extension LaunchRequest {
    /// The start of the instance itself.
    public var instanceStartID: String { String(self.startID.prefix { $0 != "." }) }
    /// Whether it is for something beside a running instance.
    public var isBesideAnother: Bool { self.startID.contains(".") }
}

/// A process that was started or taken over.
public struct LaunchedProcess: Sendable {
    /// The number of its main process.
    public var pid: Int32
    /// When the main process began, in clock ticks since the machine did (field 22 of `/proc/PID/stat`); with the
    /// number and the boot it identifies a process for ever.
    public var startTime: UInt64
    /// What can be done with it.
    public var handle: any ProcessHandle
    /// The address, of IPv4, at which the host reaches what it listens on.
    public var host: String

    /// Describes a process.
    public init(pid: Int32, startTime: UInt64, handle: any ProcessHandle, host: String = "127.0.0.1") {
        self.pid = pid
        self.startTime = startTime
        self.handle = handle
        self.host = host
    }
}

/// What can be done with a process and all that descends from it.
public protocol ProcessHandle: Sendable {
    /// Returns when the main process has ended; descendants may still run. Returns `.unknown` early when cancelled.
    func waitForExit() async -> ExitStatus

    /// Sends a signal to every process of the tree.
    func signal(_ signal: Int32) async

    /// Returns when the main process and its descendants have ended, or when cancelled.
    func waitUntilTreeIsGone() async

    /// Ends every process of the tree by SIGKILL, and returns when none is left. Not cancellable.
    func killTree() async

    /// What it uses now; nil when nobody counts it. Cheap: it is asked again and again.
    func usage() -> InstanceUsage?

    /// Gives the number of the main process back to the system. Called once, when the tree is gone.
    func release()
}

extension ProcessHandle {
    /// Counts nothing.
    public func usage() -> InstanceUsage? { nil }
}
