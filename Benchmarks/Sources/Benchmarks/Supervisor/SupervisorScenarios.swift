import Foundation

/// Supervisors side by side: what a start costs, and what a thousand programs cost that do nothing, or are stopped.
struct SupervisorScenarios {
    let options: Options
    let scratch: Scratch
    let processes: Processes

    /// Starts of a hundred programs. What starting the supervisor itself costs is taken out.
    func start() throws -> [Row] {
        let kinds = try self.present(SupervisorKind.allCases)
        var values: [SupervisorKind: [Double]] = [:]
        for _ in 0..<(self.options.rounds ?? 5) {
            for kind in kinds {
                let costs = try [1, 101].map { count in
                    try self.with(kind, count) { supervisor in
                        defer { _ = try? supervisor.stop() }
                        return supervisor.family.helperCPU
                    }
                }
                values[kind, default: []].append((costs[1] - costs[0]) / 100 * 1e6)
            }
        }
        return self.rows("CPU of the supervisor for a start", "µs", values)
    }

    /// A thousand programs: memory, idle CPU, and the stop of all. That many processes of Python are too many for honcho.
    func many() throws -> [Row] {
        let count = 1_000
        let kinds = try self.present(SupervisorKind.allCases.filter { $0 != .honcho })
        var memory: [SupervisorKind: [Double]] = [:]
        var idle: [SupervisorKind: [Double]] = [:]
        var walls: [SupervisorKind: [Double]] = [:]
        var costs: [SupervisorKind: [Double]] = [:]
        for _ in 0..<(self.options.rounds ?? 1) {
            for kind in kinds {
                let one = try self.with(kind, 1) { supervisor in
                    defer { _ = try? supervisor.stop() }
                    return supervisor.family.helperMemory
                }
                try self.with(kind, count) { supervisor in
                    usleep(2_000_000)
                    let family = supervisor.family
                    memory[kind, default: []].append((family.helperMemory - one) / Double(count - 1) / 1_024)
                    // As long as the pause between two looks at what instances use.
                    let before = (cpu: family.helperCPU, time: now())
                    usleep(useconds_t(self.idleSeconds) * 1_000_000)
                    let share = (family.helperCPU - before.cpu) / (now() - before.time)
                    idle[kind, default: []].append(share * 100)
                    let stop = try supervisor.stop()
                    walls[kind, default: []].append(stop.wall * 1e3)
                    if let cpu = stop.cpu { costs[kind, default: []].append(cpu * 1e3) }
                }
            }
        }
        return self.rows("memory per instance, 1,000 of them", "KiB", memory)
            + self.rows("idle with 1,000 instances", "% of a core", idle)
            + self.rows("stop of 1,000 instances", "ms", walls)
            + self.rows("stop of 1,000 instances, CPU", "ms", costs)
    }

    private var idleSeconds: Int { max(30, self.options.seconds) }

    /// How long the end of one of a thousand is unnoticed. Peers do not tell.
    func exits() throws -> [Row] {
        guard let program = self.options.program("supervise") else { throw Failure("supervise is not built") }
        var values: [String: [Double]] = [:]
        for _ in 0..<(self.options.rounds ?? 3) {
            let directory = try self.scratch.directory("supervisor-\(UUID().uuidString)")
            let output = try self.processes.run(
                [program, directory, "exits", "1000", "200"], output: directory + ".log", seconds: 120
            ).output
            for (name, value) in try Self.answer(output) { values[name, default: []].append(value) }
        }
        let names = [
            ("an end is noticed", "told"), ("… and nothing is left of the instance", "over"),
        ]
        return names.flatMap { title, key in
            ["p50", "p99"].map { quantile in
                Row(
                    what: "\(title), 1,000 instances, \(quantile)", unit: "ms",
                    slipway: values["\(key), \(quantile)"] ?? [])
            }
        }
    }

    /// Lines of 100 bytes into a file, as fast as they come.
    func logs() throws -> [Row] {
        guard let program = self.options.program("supervise") else { throw Failure("supervise is not built") }
        let lines = 3_000_000
        let peers = ["s6-log", "svlogd"].filter { Machine.find($0) != nil }
        var own: [Double] = []
        var values: [String: [Double]] = [:]
        for _ in 0..<(self.options.rounds ?? 5) {
            let directory = try self.scratch.directory("supervisor-\(UUID().uuidString)")
            let output = try self.processes.run(
                [program, directory, "logs", "\(lines)"], output: directory + ".log"
            ).output
            own.append(Double(lines) / (try Self.answer(output)["cpu"] ?? .nan) / 1e3)
            for peer in peers { values[peer, default: []].append(Double(lines) / (try self.logCPU(peer, lines)) / 1e3) }
            try FileManager.default.removeItem(atPath: directory)
        }
        let missing = peers.count < 2 ? "a peer is not installed" : nil
        let what = "lines captured per CPU second"
        if peers.isEmpty { return [Row(what: what, unit: "k/s", slipway: own, note: missing)] }
        return peers.map {
            Row(what: what, unit: "k/s", slipway: own, peer: $0, peerValues: values[$0] ?? [], note: missing)
        }
    }

    private func logCPU(_ peer: String, _ lines: Int) throws -> Double {
        let directory = try self.scratch.directory("log-\(UUID().uuidString)")
        let fifo = directory + ".fifo"
        mkfifo(fifo, 0o600)
        let arguments = peer == "s6-log" ? "n20 s99999999 \(directory)" : directory
        // svlogd keeps ten files of a megabyte by default; with larger ones it renames as seldom as the other.
        if peer == "svlogd" {
            try "s99999999\n".write(toFile: directory + "/config", atomically: true, encoding: .utf8)
        }
        let reader = try self.processes.start(
            ["/bin/sh", "-c", "exec \(peer) \(arguments) <\(fifo)"], output: directory + ".log")
        let line = String(repeating: "x", count: 99)
        try self.processes.run(
            ["/bin/sh", "-c", "yes \(line) | head -n \(lines) >\(fifo)"], output: directory + ".writer")
        defer { try? FileManager.default.removeItem(atPath: directory) }
        return try self.processes.wait(reader, seconds: 60).cpu
    }

    private func with<R>(_ kind: SupervisorKind, _ count: Int, _ body: (RunningSupervisor) throws -> R) throws -> R {
        guard let supervisor = try RunningSupervisor(kind, count: count, self.options, self.scratch, self.processes)
        else { throw Failure("\(kind.rawValue) is not there") }
        return try body(supervisor)
    }

    private func present(_ kinds: [SupervisorKind]) throws -> [SupervisorKind] {
        guard SupervisorKind.slipway.program(self.options) != nil else { throw Failure("supervise is not built") }
        return kinds.filter { $0.program(self.options) != nil }
    }

    /// One row for each peer, and one for the supervisor with control groups beside the one without.
    private func rows(_ what: String, _ unit: String, _ values: [SupervisorKind: [Double]]) -> [Row] {
        let own = values[.slipway] ?? []
        let missing = SupervisorKind.peers.filter { $0.program(self.options) == nil }.map { "\($0) is not installed" }
        let others = SupervisorKind.allCases.dropFirst().filter { values[$0] != nil }
        return others.enumerated().map { index, kind in
            Row(
                what: what, unit: unit, slipway: own, peer: kind.rawValue, peerValues: values[kind] ?? [],
                note: index == 0 && !missing.isEmpty ? missing.joined(separator: "; ") : nil)
        }
    }

    private static func answer(_ output: String) throws -> [String: Double] {
        let line = output.split(separator: "\n").last { $0.hasPrefix("{") } ?? ""
        return try JSONDecoder().decode([String: Double].self, from: Data(line.utf8))
    }
}
