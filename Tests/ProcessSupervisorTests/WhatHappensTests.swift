import Testing

@testable import ProcessSupervisor

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The article "What happens when…", line by line against the machine.
@Suite struct WhatHappensTests {
    typealias Event = InstanceMachine.Event
    typealias Base = InstanceMachineTests

    static let ready: [Event] = [.start, .spawned(pid: 7, port: 20000), .probed(.readiness, Base.good)]
    static let backingOff: [Event] = ready + [.exited(.exited(1)), .treeGone]
    static let end: [Event] = [.exited(.exited(0)), .treeGone]

    /// By the first column, how it comes about: what was before, and what then happens.
    static let ways: [String: (before: [Event], happens: [Event])] = [
        "readiness fails as often as the threshold": (
            ready, [.probed(.readiness, Base.bad), .probed(.readiness, Base.bad)]
        ),
        "its memory exceeds the soft limit": (ready, [.memory(.high(usedBytes: 2, softLimitBytes: 1))]),
        "its command after the start fails": (ready, [.ran(.postStart, failure: "x")]),
        "it ends by itself": (ready, end),
        "it ends before it was ready": (Base.boot, end),
        "it is not ready in time": (Base.boot, [.timer(.boot)] + end),
        "liveness fails as often as the threshold": (
            ready, [.probed(.liveness, Base.bad), .probed(.liveness, Base.bad)] + end
        ),
        "the kernel kills one of it for its memory": (ready, [.memory(.killed(Base.excess))] + end),
        "it is too old, or too large": (ready, [.timer(.recycle)] + end),
        "somebody restarts it": (ready, [.restart] + end),
        "somebody stops it": (ready, [.stop] + end),
        "somebody stops it while it waits for a restart": (backingOff, [.stop]),
        "a restart cannot be executed": (backingOff + [.timer(.backoff)], [.spawnFailed("x")]),
        "it has failed too often in a row": (
            backingOff + [.timer(.backoff), .spawned(pid: 8, port: nil)], [.exited(.exited(1)), .treeGone]
        ),
        "it ended while there was no host": ([], [.lost(wasRunning: true)]),
        "it waited for a restart when its host ended": ([], [.lost(wasRunning: false)]),
    ]
    /// Told by the reader of the output, and not by the machine.
    static let elsewhere: Set = ["it writes faster than it may, with `drop`"]

    struct Line: Equatable { var when: String, events: [String], cause: String }

    static func article() throws -> [Line] {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/ProcessSupervisor/Documentation.docc/WhatHappens.md")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|").map {
                $0.trimmingPrefix(" ").reversed().drop { $0 == " " }.reversed()
            }
            guard line.hasPrefix("|"), cells.count == 4, String(cells[0]) != "when", !cells[0].contains("---") else {
                return nil
            }
            return Line(
                when: String(cells[0]), events: String(cells[1]).split(separator: ", ").map(String.init),
                cause: String(cells[2]))
        }
    }

    @Test func `the article has every way, and no other`() throws {
        #expect(Set(try Self.article().map(\.when)) == Set(Self.ways.keys).union(Self.elsewhere))
    }

    @Test(arguments: ways.keys.sorted()) func `it is as the article says`(when: String) throws {
        let line = try #require(try Self.article().first { $0.when == when })
        let way = try #require(Self.ways[when])
        var machine = Base.machine(
            liveness: true,
            restart: .always(backoff: BackoffPolicy(maxAttempts: when == "it has failed too often in a row" ? 1 : nil)))
        _ = Base.last(&machine, way.before)
        let told = way.happens.flatMap { machine.handle($0) }.compactMap { action -> (kind: String, cause: String)? in
            guard case .emit(let kind, let cause) = action else { return nil }
            return (LifecycleTests.name(kind), Self.name(cause))
        }
        #expect(told.map(\.kind) == line.events)
        #expect(Set(told.map(\.cause)) == [line.cause])
    }

    static func name(_ cause: SupervisorEvent.Cause) -> String {
        switch cause {
        case .request: "request"
        case .memoryUse: "memoryUse"
        case .formerHost: "formerHost"
        default: Mirror(reflecting: cause).children.first?.label ?? "\(cause)"
        }
    }
}
