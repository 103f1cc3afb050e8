/// How a process ended.
public enum ExitStatus: Codable, Sendable, Hashable, CustomStringConvertible {
    /// It returned this status.
    case exited(Int32)
    /// This signal killed it.
    case signalled(Int32)
    /// The kernel killed it, or a process of its instance without which it failed, for the instance's memory.
    case outOfMemory(MemoryExcess)
    /// It ended while nobody could see how.
    case unknown

    /// Such as "exit status 1", "killed by SIGKILL (9)" or "out of memory: 512 MB limit, 530 MB at the time".
    public var description: String {
        switch self {
        case .exited(let status): "exit status \(status)"
        case .signalled(let signal): "killed by \(Self.name(ofSignal: signal))"
        case .outOfMemory(let excess): excess.description
        case .unknown: "ended, exit status unknown"
        }
    }

    /// Such as "SIGKILL (9)".
    static func name(ofSignal signal: Int32) -> String {
        let names: [Int32: String] = [
            1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
            9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM",
            24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
        ]
        return names[signal].map { "\($0) (\(signal))" } ?? "signal \(signal)"
    }
}
