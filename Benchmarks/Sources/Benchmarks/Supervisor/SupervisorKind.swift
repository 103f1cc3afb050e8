import Foundation

/// A supervisor that can be measured.
enum SupervisorKind: String, CaseIterable {
    case slipway = "Slipway"
    case slipwayGroups = "Slipway, control groups"
    case s6, runit, supervisord, honcho

    static let own: [SupervisorKind] = [.slipway, .slipwayGroups]
    static let peers: [SupervisorKind] = [.s6, .runit, .supervisord, .honcho]

    func program(_ options: Options) -> String? {
        switch self {
        case .slipway, .slipwayGroups: options.program("supervise")
        case .s6: Machine.find("s6-svscan")
        case .runit: Machine.find("runsvdir")
        case .supervisord, .honcho: Machine.find(self.rawValue)
        }
    }

    /// What ends it and all that it keeps. runsvdir does not wait for that.
    var stopSignal: Int32 { self == .runit ? SIGHUP : SIGTERM }

    static let program = "sleep"

    /// Writes what it needs to keep so many programs, and returns its command line.
    func command(_ program: String, count: Int, in directory: String) throws -> [String] {
        switch self {
        case .slipway: return [program, directory, "sleep", "\(count)"]
        case .slipwayGroups: return [program, directory, "sleep", "\(count)", "groups"]
        case .s6:
            try Self.writeServices(count, in: directory)
            return [program, "-c", "1100", directory]
        case .runit:
            try Self.writeServices(count, in: directory)
            return [program, "-P", directory]
        case .supervisord:
            let file = directory + "/supervisord.conf"
            try """
            [supervisord]
            nodaemon=true
            logfile=\(directory)/log
            pidfile=\(directory)/pid
            childlogdir=\(directory)
            minfds=8192
            [program:sleep]
            command=/bin/sleep 100000
            process_name=sleep-%(process_num)d
            numprocs=\(count)
            startsecs=0
            redirect_stderr=true
            """.write(toFile: file, atomically: true, encoding: .utf8)
            return [program, "-n", "-c", file]
        case .honcho:
            let file = directory + "/Procfile"
            try (0..<count).map { "sleep\($0): exec /bin/sleep 100000\n" }.joined()
                .write(toFile: file, atomically: true, encoding: .utf8)
            return [program, "-f", file, "-d", directory, "start"]
        }
    }

    /// A directory with a `run` for each.
    private static func writeServices(_ count: Int, in directory: String) throws {
        for index in 0..<count {
            let service = "\(directory)/sleep-\(index)"
            try FileManager.default.createDirectory(atPath: service, withIntermediateDirectories: true)
            try "#!/bin/sh\nexec /bin/sleep 100000\n"
                .write(toFile: service + "/run", atomically: true, encoding: .utf8)
            chmod(service + "/run", 0o755)
        }
    }
}

/// A supervisor that runs.
struct RunningSupervisor {
    let kind: SupervisorKind
    let child: Child
    let directory: String
    let processes: Processes
    let count: Int

    var family: ProcessFamily { ProcessFamily(of: self.child.pid, program: SupervisorKind.program) }

    /// Starts one, and waits until it has started all.
    init?(_ kind: SupervisorKind, count: Int, _ options: Options, _ scratch: Scratch, _ processes: Processes) throws {
        guard let program = kind.program(options) else { return nil }
        self.kind = kind
        self.count = count
        self.processes = processes
        // A directory of its own each time: what is left of another must not matter.
        self.directory = try scratch.directory("supervisor-\(UUID().uuidString)")
        self.child = try processes.start(
            try kind.command(program, count: count, in: self.directory), output: self.directory + ".log")
        let deadline = now() + 120
        while self.family.programs.count < count {
            if processes.exit(of: self.child) != nil || now() > deadline {
                throw Failure("\(kind.rawValue) has not started \(count) programs:\n\(self.child.output.suffix(2_000))")
            }
            usleep(20_000)
        }
        usleep(500_000)  // what a supervisor does after a start belongs to it
    }

    /// What the stop of all took, in seconds. The CPU time has that of the programs' ends in it; it is not known of who
    /// does not wait for its helpers.
    func stop() throws -> (wall: Double, cpu: Double?) {
        let programs = self.family.programs
        let before = (cpu: self.family.cpu, time: now())
        kill(self.child.pid, self.kind.stopSignal)
        let exit = try self.processes.wait(self.child, seconds: 120)
        let deadline = now() + 60
        while now() < deadline, programs.contains(where: { Self.isAlive($0) }) { usleep(1_000) }
        let wall = now() - before.time
        return (wall, self.kind == .runit ? nil : exit.cpu - before.cpu)
    }

    private static func isAlive(_ pid: pid_t) -> Bool { kill(pid, 0) == 0 }
}
