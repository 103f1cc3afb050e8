import Foundation

/// A process and all that descends from it, at one moment: a supervisor, its helpers, and the programs that it keeps.
struct ProcessFamily {
    /// The supervisor and its helpers.
    private(set) var helpers: [pid_t] = []
    /// What it was asked to run.
    private(set) var programs: [pid_t] = []

    /// - Parameter program: the name by which what it was asked to run is known.
    init(of ancestor: pid_t, program: String) {
        var children: [pid_t: [pid_t]] = [:]
        var names: [pid_t: Substring] = [:]
        for pid in Machine.all {
            guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
                let begin = stat.firstIndex(of: "("), let end = stat.lastIndex(of: ")")
            else { continue }
            let fields = stat[end...].split(separator: " ")
            guard fields.count > 2, let parent = pid_t(fields[2]), fields[1] != "Z" else { continue }
            children[parent, default: []].append(pid)
            names[pid] = stat[stat.index(after: begin)..<end]
        }
        var rest = [ancestor]
        while let pid = rest.popLast() {
            if names[pid] == program[...] { self.programs.append(pid) } else { self.helpers.append(pid) }
            rest += children[pid] ?? []
        }
    }

    /// User and system time of the supervisor and its helpers so far, in seconds.
    var helperCPU: Double { Self.cpu(self.helpers) }
    /// The same with the programs.
    var cpu: Double { Self.cpu(self.helpers + self.programs) }
    /// Memory of the supervisor and its helpers in bytes (PSS).
    var helperMemory: Double { self.helpers.map { Machine.memory(of: $0) }.filter { !$0.isNaN }.reduce(0, +) }

    private static func cpu(_ pids: [pid_t]) -> Double {
        pids.map { Child(name: "", pid: $0, outputPath: "").cpu }.filter { !$0.isNaN }.reduce(0, +)
    }
}
