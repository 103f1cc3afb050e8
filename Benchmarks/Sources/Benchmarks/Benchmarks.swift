import Dispatch
import Foundation

/// Measures the built programs beside their peers, and prints a table and a JSON file.
@main
struct Benchmarks {
    static func main() {
        do {
            let options = try Options(CommandLine.arguments.dropFirst())
            let scratch = try Scratch()
            let processes = Processes()
            let watch = Watch(processes: processes, scratch: scratch, limit: options.timeLimit)
            defer { watch.endAll() }
            try Self.run(options, scratch, processes)
        } catch {
            FileHandle.standardError.write(Data("benchmarks: \(error)\n".utf8))
            exit(error is Options.Wrong ? 64 : 1)
        }
    }

    private static func run(_ options: Options, _ scratch: Scratch, _ processes: Processes) throws {
        var report = Report(machine: Machine())
        for scenario in options.scenarios {
            print("Measuring: \(scenario.title)")
            fflush(nil)
            switch scenario {
            case .router:
                report.rows += try RouterScenario(options: options, scratch: scratch, processes: processes).run()
            case .push: report.rows += try PushScenario(options: options, scratch: scratch, processes: processes).run()
            }
        }
        print("\n" + report.table)
        try report.json.write(toFile: options.json, atomically: true, encoding: .utf8)
        print("\nWritten to \(options.json). How to read it: Docs/Benchmarks.md")
    }
}

/// Ends everything when the user or the time limit ends the run, and when it has ended by itself.
struct Watch {
    private let processes: Processes
    private let scratch: Scratch
    private let queue = DispatchQueue(label: "watch")
    private let sources: [any DispatchSourceProtocol]

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
        timer.schedule(deadline: .now() + .seconds(limit))
        timer.setEventHandler { end("not done after \(limit) s", 1) }
        sources.append(timer)
        for source in sources { source.activate() }
        self.sources = sources
    }

    /// Does not return when the run is being ended for another reason: that it fails then is no news.
    func endAll() {
        self.queue.sync {
            self.processes.endAll(within: self.scratch)
            self.scratch.remove()
        }
    }
}
