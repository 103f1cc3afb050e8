import Dispatch
import Foundation

/// Measures the built programs beside their peers, and prints a table and a JSON file.
@main
struct Benchmarks {
    static func main() {
        do {
            if CommandLine.arguments.dropFirst().first == PacedClient.argument {
                return try PacedClient.main(CommandLine.arguments.dropFirst(2))
            }
            let options = try Options(CommandLine.arguments.dropFirst())
            let scratch = try Scratch()
            let processes = Processes()
            let watch = Watch(processes: processes, scratch: scratch, limit: options.timeLimit)
            defer { watch.endAll() }
            guard try Self.run(options, scratch, processes, watch) else { throw Failure("not everything was measured") }
        } catch {
            FileHandle.standardError.write(Data("benchmarks: \(error)\n".utf8))
            exit(error is Options.Wrong ? 64 : 1)
        }
    }

    /// Whether every scenario could be measured. One that could not says so in the table and stops none after it.
    private static func run(
        _ options: Options, _ scratch: Scratch, _ processes: Processes, _ watch: Watch
    ) throws -> Bool {
        var report = Report(machine: Machine())
        var isComplete = true
        for scenario in options.scenarios {
            print("Measuring: \(scenario.title)")
            fflush(nil)
            watch.restart()
            do {
                report.rows += try Self.rows(of: scenario, options, scratch, processes)
            } catch {
                isComplete = false
                let lines = "\(error)".split(separator: "\n")
                report.rows.append(Row(what: scenario.title, unit: "", note: lines.first.map(String.init)))
                FileHandle.standardError.write(Data("benchmarks: \(scenario.title): \(error)\n".utf8))
            }
            processes.endAllStarted()
        }
        print("\n" + report.table)
        try report.json.write(toFile: options.json, atomically: true, encoding: .utf8)
        print("\nWritten to \(options.json). How to read it: Docs/Benchmarks.md")
        return isComplete
    }

    private static func rows(
        of scenario: Scenario, _ options: Options, _ scratch: Scratch, _ processes: Processes
    ) throws -> [Row] {
        if scenario == .push {
            return try PushScenario(options: options, scratch: scratch, processes: processes).run()
        }
        if scenario == .slugs {
            return try SlugScenario(options: options, scratch: scratch, processes: processes).run()
        }
        if scenario == .git { return try GitScenario(options: options, scratch: scratch, processes: processes).run() }
        let supervisors = SupervisorScenarios(options: options, scratch: scratch, processes: processes)
        switch scenario {
        case .supervisorStart: return try supervisors.start()
        case .supervisorMany: return try supervisors.many()
        case .supervisorExits: return try supervisors.exits()
        case .supervisorLogs: return try supervisors.logs()
        default: break
        }
        let stand = try RouterStand(options: options, scratch: scratch, processes: processes)
        return switch scenario {
        case .router: try BodyScenario(stand: stand).run()
        case .routerLarge: try BodyScenario(stand: stand, onlyLarge: true).run()
        case .routerHosts: try HostScenario(stand: stand).run()
        case .routerTLS: try TLSScenario(stand: stand).run()
        case .routerHTTP2: try HTTP2Scenario(stand: stand).run()
        case .routerLatency: try LatencyScenario(stand: stand).run()
        case .routerChanges: try RouteChangeScenario(stand: stand).run()
        case .routerThreads: try ThreadScenario(stand: stand).run()
        case .routerWebSockets: try WebSocketScenario(stand: stand).run()
        default: []
        }
    }
}

/// Ends everything when the user or the time limit ends the run, and when it has ended by itself.
struct Watch {
    private let processes: Processes
    private let scratch: Scratch
    private let queue = DispatchQueue(label: "watch")
    private let sources: [any DispatchSourceProtocol]
    private let timer: any DispatchSourceTimer
    private let limit: Int

    init(processes: Processes, scratch: Scratch, limit: Int) {
        self.processes = processes
        self.scratch = scratch
        let end: @Sendable (String, Int32) -> Void = { why, status in
            FileHandle.standardError.write(Data("benchmarks: \(why); ending what was started\n".utf8))
            processes.endAll(within: scratch)
            scratch.remove()
            exit(status)
        }
        var sources: [any DispatchSourceProtocol] = []
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: self.queue)
            source.setEventHandler { end("interrupted", 128 + number) }
            sources.append(source)
        }
        let timer = DispatchSource.makeTimerSource(queue: self.queue)
        timer.setEventHandler { end("not done after \(limit) s", 1) }
        timer.schedule(deadline: .now() + .seconds(limit))
        sources.append(timer)
        self.timer = timer
        self.limit = limit
        for source in sources { source.activate() }
        self.sources = sources
    }

    /// The time limit begins anew.
    func restart() { self.timer.schedule(deadline: .now() + .seconds(self.limit)) }

    /// Does not return when the run is being ended for another reason: that it fails then is no news.
    func endAll() {
        self.queue.sync {
            self.processes.endAll(within: self.scratch)
            self.scratch.remove()
        }
    }
}
