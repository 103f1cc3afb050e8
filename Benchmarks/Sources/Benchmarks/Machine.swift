import Foundation

/// Seconds of the monotonic clock.
func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// What the benchmarks have to know about where they run.
struct Machine {
    /// The cores that this process may use.
    let cores: [Int]

    init() {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let list = status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }?.split(separator: "\t")
            .last
        self.cores = (list ?? "0").split(separator: ",").flatMap { range in
            let bounds = range.split(separator: "-").compactMap { Int($0) }
            return bounds.isEmpty ? [] : Array(bounds[0]...bounds[bounds.count - 1])
        }
    }

    /// What to put before a command so that it stays on these cores; nothing where that is not possible.
    func pinning(to indices: Int...) -> [String] {
        guard self.cores.count > 1, indices.allSatisfy(self.cores.indices.contains), Self.find("taskset") != nil else {
            return []
        }
        return ["taskset", "-c", indices.map { "\(self.cores[$0])" }.joined(separator: ",")]
    }

    /// The path of a program, as a shell finds it. Also looks where servers are, which users do not have in `PATH`.
    static func find(_ name: String) -> String? {
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "") + ":/usr/sbin:/usr/local/sbin"
        return path.split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// How many files a process may have open here; what is started inherits it.
    static let openFiles: Int = {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = min(limit.rlim_max, 65_536)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return Int(limit.rlim_cur)
    }()

    /// The resident memory of a process in bytes; what it shares with others is divided among them (PSS).
    static func memory(of pid: pid_t) -> Double {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/smaps_rollup", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("Pss:") }
        return (line?.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? .nan) * 1_024
    }

    static func children(of pid: pid_t) -> [pid_t] {
        Self.all.filter { child in
            guard let stat = try? String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8),
                let name = stat.lastIndex(of: ")")
            else { return false }
            // State and parent come after the name, which may hold anything.
            let fields = stat[stat.index(after: name)...].split(separator: " ")
            return fields.count > 1 && fields[1] == "\(pid)"
        }
    }

    static func processes(inDirectory path: String) -> [pid_t] {
        Self.all.filter { pid in
            let directory = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd")
            return directory == path || directory?.hasPrefix(path + "/") == true
        }
    }

    static var all: [pid_t] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { pid_t($0) }
    }
}

/// A directory for everything that a run writes.
struct Scratch: Sendable {
    let path: String

    init() throws {
        var template = Array((FileManager.default.temporaryDirectory.path + "/slipway-benchmarks-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure("cannot make a temporary directory") }
        self.path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func file(_ name: String) -> String { self.path + "/" + name }

    func directory(_ name: String) throws -> String {
        let path = self.file(name)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    func remove() { try? FileManager.default.removeItem(atPath: self.path) }
}
