import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The processes that one command of a build started, directly and indirectly.
///
/// The process group of the command is not enough: a process leaves it by `setsid` or by being an interactive shell's
/// job. On Linux, members are therefore found in `/proc` by four signs: they are in the command's session or group,
/// their parent is a member, or they inherited the mark that the command was given in its environment. Who leaves the
/// session, outlives its parent *and* clears its environment escapes; a sandbox with a pid namespace has no such gap.
struct ProcessTree: Sendable {
    /// The variable that marks every process of a command.
    static let markName = "SLIPWAY_BUILD_COMMAND"

    /// The command's process, which leads a session and group of its own.
    let leader: pid_t
    /// `NAME=VALUE` of the mark.
    private let mark: [UInt8]
    /// When the leader was started, in ticks since the machine was: nobody older can be a member.
    private let start: UInt64

    init(leader: pid_t, mark: String) {
        self.leader = leader
        self.mark = Array("\(Self.markName)=\(mark)".utf8)
        self.start = Process(pid: leader)?.start ?? 0
    }

    /// Sends `signal` to every member that is alive.
    ///
    /// - Returns: The number of members it was sent to.
    @discardableResult
    func signal(_ signal: Int32) -> Int {
        let members = self.members()
        kill(-self.leader, signal)
        for member in members { kill(member, signal) }
        return members.count
    }

    /// Kills until no member is left: a process may fork while it is being looked for.
    func killAll() {
        for _ in 0..<50 {
            if self.signal(SIGKILL) == 0 { return }
            // Killed processes need a moment to become zombies, which do not count.
            usleep(2_000)
        }
    }

    /// The members that are alive, zombies not counted. Without `/proc` none can be told.
    func members() -> [pid_t] {
        guard let names = try? DirectoryWalk.names(in: RawPath("/proc")) else { return [] }
        let own = getpid()
        let processes = names.compactMap { name -> Process? in
            guard let pid = pid_t(String(decoding: name, as: UTF8.self)), pid > 1, pid != own,
                let process = Process(pid: pid),
                process.start >= self.start
            else { return nil }
            return process
        }
        var members = Set(
            processes.filter {
                $0.session == self.leader || $0.group == self.leader || $0.carries(self.mark)
            }.map(\.pid))
        var grew = !members.isEmpty
        while grew {
            let children = processes.filter { members.contains($0.parent) && !members.contains($0.pid) }
            members.formUnion(children.map(\.pid))
            grew = !children.isEmpty
        }
        return processes.filter { members.contains($0.pid) && !$0.isZombie }.map(\.pid)
    }

    /// The processes of builds that use a temporary directory below `directory`, whoever started them; zombies not counted.
    static func builders(below directory: FilePath) -> [pid_t] {
        guard let names = try? DirectoryWalk.names(in: RawPath("/proc")) else { return [] }
        let mark = Array("\(Self.markName)=".utf8)
        let place = Array("TMPDIR=\(directory.lexicallyNormalized())/".utf8)
        return names.compactMap { name in
            guard let pid = pid_t(String(decoding: name, as: UTF8.self)), pid > 1, pid != getpid(),
                let process = Process(pid: pid), !process.isZombie, process.hasVariable(startingWith: mark),
                process.hasVariable(startingWith: place)
            else { return nil }
            return pid
        }
    }

    private struct Process {
        var pid: pid_t
        var isZombie: Bool
        var parent: pid_t
        var group: pid_t
        var session: pid_t
        var start: UInt64

        init?(pid: pid_t) {
            // pid (name) state ppid pgrp session …; the name may hold blanks and parentheses.
            guard let bytes = Self.contents("/proc/\(pid)/stat"), let end = bytes.lastIndex(of: UInt8(ascii: ")"))
            else { return nil }
            let fields = bytes[bytes.index(after: end)...].split(separator: UInt8(ascii: " "))
                .map { String(decoding: $0, as: UTF8.self) }
            guard fields.count > 19, let parent = pid_t(fields[1]), let group = pid_t(fields[2]),
                let session = pid_t(fields[3]), let start = UInt64(fields[19])
            else { return nil }
            self.pid = pid
            self.isZombie = fields[0] == "Z" || fields[0] == "X"
            self.parent = parent
            self.group = group
            self.session = session
            self.start = start
        }

        func hasVariable(startingWith prefix: [UInt8]) -> Bool {
            guard let environment = Self.contents("/proc/\(self.pid)/environ") else { return false }
            return environment.split(separator: 0).contains { $0.starts(with: prefix) }
        }

        func carries(_ needle: [UInt8]) -> Bool {
            guard let environment = Self.contents("/proc/\(self.pid)/environ") else { return false }
            return environment.split(separator: 0).contains { $0.elementsEqual(needle) }
        }

        /// Files in `/proc` have no length; they are read to their end, within reason.
        private static func contents(_ path: String) -> [UInt8]? {
            guard let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec) else { return nil }
            defer { try? file.close() }
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 16 * 1024)
            while bytes.count < 4 * 1024 * 1024 {
                guard let count = try? buffer.withUnsafeMutableBytes({ try file.read(into: $0) }) else { return nil }
                if count == 0 { break }
                bytes += buffer[..<count]
            }
            return bytes
        }
    }
}
