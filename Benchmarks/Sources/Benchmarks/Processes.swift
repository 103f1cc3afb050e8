import Foundation
import Synchronization

/// Something that a benchmark cannot do without has failed.
struct Failure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// A process that was started, with its output in a file.
struct Child: Sendable {
    let name: String
    let pid: pid_t
    let outputPath: String

    var output: String { (try? String(contentsOfFile: self.outputPath, encoding: .utf8)) ?? "" }

    /// User and system time of the process so far, all its threads together, in seconds. The same quantity as utime and
    /// stime in `/proc/PID/stat`, in nanoseconds instead of ticks of 10 ms.
    var cpu: Double {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(self.pid, &clock) == 0, clock_gettime(clock, &time) == 0 else { return .nan }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// How a process ended.
struct Exit: Sendable {
    /// As a shell has it: 128 and the number for a signal.
    var status: Int32
    /// User and system time of the process and of those that it waited for, in seconds.
    var cpu: Double
}

/// Every process that the benchmarks start, so that none outlives them.
final class Processes: Sendable {
    private struct State {
        var isClosed = false
        var running: [pid_t: Child] = [:]
        var ended: [pid_t: Exit] = [:]
    }
    private let state = Mutex(State())

    /// Starts a program, found in `PATH`, in a process group of its own.
    func start(_ arguments: [String], environment: [String: String] = [:], output path: String) throws -> Child {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The signals that this process ignores must not be ignored by what it starts.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for number in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, number) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)

        let inherited = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        let variables = ["PATH": inherited, "LC_ALL": "C"].merging(environment) { $1 }
        let argv = arguments.map { strdup($0) } + [nil]
        let envp = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        return try self.state.withLock { state in
            guard !state.isClosed else { throw Failure("the run is ending") }
            var pid = pid_t()
            let error = posix_spawnp(&pid, arguments[0], &actions, &attributes, argv, envp)
            guard error == 0 else { throw Failure("cannot start \(arguments[0]): \(String(cString: strerror(error)))") }
            // What `taskset -c 1 PROGRAM` becomes.
            let name = arguments[0] == "taskset" ? arguments[3] : arguments[0]
            let child = Child(name: name, pid: pid, outputPath: path)
            state.running[pid] = child
            return child
        }
    }

    /// Whether it has ended, and how.
    func exit(of child: Child) -> Exit? {
        self.state.withLock { Self.reap(child.pid, &$0) }
    }

    /// Waits for the end; looks twice a millisecond.
    func wait(_ child: Child, seconds: Double) throws -> Exit {
        let deadline = now() + seconds
        while now() < deadline {
            if let exit = self.exit(of: child) { return exit }
            usleep(500)
        }
        throw Failure("\(child.name) had not ended after \(seconds) s:\n\(child.output.suffix(2_000))")
    }

    /// Runs a program to its end, which has to be a good one.
    @discardableResult
    func run(
        _ arguments: [String], environment: [String: String] = [:], output path: String, seconds: Double = 60
    ) throws -> (exit: Exit, output: String) {
        let child = try self.start(arguments, environment: environment, output: path)
        let exit = try self.wait(child, seconds: seconds)
        guard exit.status == 0 else {
            throw Failure(
                "\(arguments.joined(separator: " ")) ended with \(exit.status):\n\(child.output.suffix(2_000))")
        }
        return (exit, child.output)
    }

    /// Ends one and waits for that.
    @discardableResult
    func end(_ child: Child) throws -> Exit {
        if self.exit(of: child) == nil { kill(-child.pid, SIGTERM) }
        return try self.wait(child, seconds: 15)
    }

    /// Ends all that are running; others may be started afterwards.
    func endAllStarted() {
        let children = self.state.withLock { Array($0.running.values) }
        for child in children where self.exit(of: child) == nil { kill(-child.pid, SIGTERM) }
        let deadline = now() + 10
        while now() < deadline, children.contains(where: { self.exit(of: $0) == nil }) { usleep(10_000) }
        for child in children where self.exit(of: child) == nil { kill(-child.pid, SIGKILL) }
    }

    /// Ends all, and whatever else was left with its working directory in `scratch`; starts none any more.
    func endAll(within scratch: Scratch) {
        self.state.withLock { $0.isClosed = true }
        self.endAllStarted()
        for pid in Machine.processes(inDirectory: scratch.path) { kill(pid, SIGKILL) }
    }

    private static func reap(_ pid: pid_t, _ state: inout State) -> Exit? {
        if let exit = state.ended[pid] { return exit }
        var status: Int32 = 0
        var usage = rusage()
        guard wait4(pid, &status, WNOHANG, &usage) == pid else { return nil }
        let signal = status & 0x7f
        let exit = Exit(
            status: signal == 0 ? (status >> 8) & 0xff : 128 + signal,
            cpu: usage.ru_utime.seconds + usage.ru_stime.seconds)
        state.running[pid] = nil
        state.ended[pid] = exit
        return exit
    }
}

extension timeval {
    fileprivate var seconds: Double { Double(self.tv_sec) + Double(self.tv_usec) / 1e6 }
}
