import Foundation

/// What can be measured.
enum Scenario: String, CaseIterable {
    case router
    case routerLarge = "router-large"
    case routerHosts = "router-hosts"
    case routerTLS = "router-tls"
    case routerHTTP2 = "router-http2"
    case routerLatency = "router-latency"
    case routerChanges = "router-changes"
    case routerThreads = "router-threads"
    case routerWebSockets = "router-websockets"
    case supervisorStart = "supervisor-start"
    case supervisorMany = "supervisor-many"
    case supervisorExits = "supervisor-exits"
    case supervisorLogs = "supervisor-logs"
    case slugs
    case git
    case push

    var title: String {
        switch self {
        case .router: "the router's CPU per request"
        case .routerLarge: "the same for large bodies alone"
        case .routerHosts: "ten thousand hosts beside one"
        case .routerTLS: "requests and handshakes with TLS"
        case .routerHTTP2: "requests of HTTP/2 clients"
        case .routerLatency: "how long answers take at a given rate"
        case .routerChanges: "routes that change under load"
        case .routerThreads: "two threads beside one"
        case .routerWebSockets: "memory of idle WebSockets"
        case .supervisorStart: "what a supervisor's start of a program costs"
        case .supervisorMany: "a thousand programs: memory, idle CPU, their stop"
        case .supervisorExits: "how long the end of a program is unnoticed"
        case .supervisorLogs: "lines captured"
        case .slugs: "slugs stored and made again"
        case .git: "a pack received, and its files"
        case .push: "a push, and the switch to the new release"
        }
    }
}

/// The command line.
struct Options {
    struct Wrong: Error, CustomStringConvertible { var description: String }

    var scenarios: [Scenario] = []
    var rounds: Int?
    /// How long one load of the router lasts, in seconds.
    var seconds = 2
    /// A scenario that takes more seconds ends everything.
    var timeLimit = 300
    /// The directory of the built programs.
    var programs = ".build/release"
    var json = "benchmarks.json"

    static let usage = """
        usage: Benchmarks [SCENARIO …] [--rounds N] [--seconds N] [--limit SECONDS] [--programs DIR] [--json FILE]
        scenarios: \(Scenario.allCases.map(\.rawValue).joined(separator: ", ")); all of them without a name
        """

    init(_ arguments: ArraySlice<String>) throws {
        var rest = arguments
        while let argument = rest.popFirst() {
            switch argument {
            case "--rounds": self.rounds = try Self.number(rest.popFirst(), argument)
            case "--seconds": self.seconds = try Self.number(rest.popFirst(), argument)
            case "--limit": self.timeLimit = try Self.number(rest.popFirst(), argument)
            case "--programs": self.programs = try Self.text(rest.popFirst(), argument)
            case "--json": self.json = try Self.text(rest.popFirst(), argument)
            default:
                guard let scenario = Scenario(rawValue: argument) else {
                    throw Wrong(description: "'\(argument)' is neither a scenario nor an option\n\(Self.usage)")
                }
                self.scenarios.append(scenario)
            }
        }
        // The first already measures what the second repeats alone.
        if self.scenarios.isEmpty { self.scenarios = Scenario.allCases.filter { $0 != .routerLarge } }
    }

    /// One of the built programs; `nil` when it was not built.
    func program(_ name: String) -> String? {
        let path = URL(fileURLWithPath: self.programs).appendingPathComponent(name).path
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    private static func text(_ value: String?, _ option: String) throws -> String {
        guard let value else { throw Wrong(description: "\(option) wants a value\n\(Self.usage)") }
        return value
    }

    private static func number(_ value: String?, _ option: String) throws -> Int {
        guard let number = Int(try Self.text(value, option)), (1...3_600).contains(number) else {
            throw Wrong(description: "\(option) wants a number between 1 and 3600\n\(Self.usage)")
        }
        return number
    }
}
