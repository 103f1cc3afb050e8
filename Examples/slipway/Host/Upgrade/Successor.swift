import Foundation
import PlatformKit
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// One end of a conversation between two hosts, in lines.
final class HostLine: Sendable {
    private let descriptor: Int32
    private let isOpen = Mutex(true)

    init(_ descriptor: Int32) { self.descriptor = descriptor }
    deinit { self.close() }

    func close() {
        self.isOpen.withLock { isOpen in
            if isOpen { _ = Self.close(self.descriptor) }
            isOpen = false
        }
    }

    /// Says something. Nobody who listens is found out when the answer does not come.
    func say(_ word: String) {
        let bytes = Array((word + "\n").utf8)
        _ = send(self.descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// What the other one says next; `nil` when it has ended or says nothing in time.
    func hear(within seconds: Int) async -> String? {
        let descriptor = self.descriptor
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(returning: Self.readLine(descriptor, seconds))
            }
        }
    }

    private static func readLine(_ descriptor: Int32, _ seconds: Int) -> String? {
        var line: [UInt8] = []
        let end = ContinuousClock.now + .seconds(seconds)
        while line.last != UInt8(ascii: "\n"), line.count < 4_096 {
            let left = (end - .now).components.seconds
            var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard left >= 0, poll(&wanted, 1, Int32(left + 1) * 1_000) > 0 else { return nil }
            var byte: UInt8 = 0
            guard recv(descriptor, &byte, 1, 0) == 1 else { return nil }
            line.append(byte)
        }
        return String(decoding: line.dropLast(), as: UTF8.self)
    }

    private static func close(_ descriptor: Int32) -> Int32 {
        #if canImport(Glibc)
            Glibc.close(descriptor)
        #elseif canImport(Musl)
            Musl.close(descriptor)
        #else
            Darwin.close(descriptor)
        #endif
    }
}

/// The host that this one takes over from, as a successor sees it: it was started by that one, with two descriptors.
struct Predecessor {
    static let lineDescriptor: Int32 = 3
    static let adminDescriptor: Int32 = 4

    let line = HostLine(Self.lineDescriptor)

    /// Returns when the other one has let go of everything but the router's sockets.
    func waitForTurn() async throws {
        for descriptor in [Self.lineDescriptor, Self.adminDescriptor] {
            // Not for the instances, and not for a successor of this one.
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
        self.line.say("prepared")
        guard await self.line.hear(within: 600) == "go" else {
            throw PlatformError(.unavailable, "the host that this one was to take over from has changed its mind")
        }
    }

    func tookOver() {
        self.line.say("serving")
        self.line.close()
    }
}

/// A host that is to take over from this one.
struct Successor {
    let pid: pid_t
    let line: HostLine

    /// Starts a program with this one's arguments, environment and standard streams.
    init(program: String, arguments: [String], adminSocket: CInt) throws {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            throw PlatformError(.internalError, "cannot make a socket: \(String(cString: strerror(errno)))")
        }
        // Away from the numbers that they are to have there, so that none overwrites another.
        let (own, theirs) = (fcntl(ends[0], F_DUPFD_CLOEXEC, 16), fcntl(ends[1], F_DUPFD_CLOEXEC, 16))
        let admin = fcntl(adminSocket, F_DUPFD_CLOEXEC, 16)
        for descriptor in ends { _ = HostLine(descriptor) }
        let line = HostLine(own)
        defer { for descriptor in [theirs, admin] { _ = HostLine(descriptor) } }

        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, theirs, Predecessor.lineDescriptor)
        posix_spawn_file_actions_adddup2(&actions, admin, Predecessor.adminDescriptor)
        // What this host does with signals is its own affair.
        var (all, none) = (sigset_t(), sigset_t())
        sigfillset(&all)
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        words.append(nil)
        var variables: [UnsafeMutablePointer<CChar>?] = ProcessInfo.processInfo.environment
            .map { strdup("\($0.key)=\($0.value)") }
        variables.append(nil)
        defer { for word in words + variables { free(word) } }
        var pid: pid_t = 0
        Self.keepToThisProcess()
        let error = posix_spawn(&pid, program, &actions, &attributes, words, variables)
        guard error == 0 else {
            throw PlatformError(.refused, "cannot execute \(program): \(String(cString: strerror(error)))")
        }
        self.pid = pid
        self.line = line
    }

    /// Makes this process a new host of the same program.
    static func beginAnew(arguments: [String]) throws -> Never {
        self.keepToThisProcess()
        // What is ignored or held back here would be there as well.
        for number in [SIGTERM, SIGINT, SIGPIPE] { signal(number, SIG_DFL) }
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        var words: [UnsafeMutablePointer<CChar>?] = (CommandLine.arguments.prefix(1) + arguments).map { strdup($0) }
        words.append(nil)
        // Also when another program has its name by now.
        execv("/proc/self/exe", words)
        throw PlatformError(.internalError, "cannot begin anew: \(String(cString: strerror(errno)))")
    }

    /// Whatever else this host has open is not for its successor: a connection that both had would never end.
    private static func keepToThisProcess() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        for descriptor in names.compactMap({ Int32($0) }) where descriptor > STDERR_FILENO {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
    }

    /// Ends it, if it has not ended, and says how.
    func end() async -> String {
        let pid = self.pid
        let status: Int32 = await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                var status: Int32 = 0
                // One that has let go of the line is about to end by itself, and then says more.
                for _ in 0..<100 {
                    if waitpid(pid, &status, WNOHANG) == pid { return continuation.resume(returning: status) }
                    usleep(50_000)
                }
                kill(pid, SIGKILL)
                while waitpid(pid, &status, 0) < 0, errno == EINTR {}
                continuation.resume(returning: status)
            }
        }
        let signal = status & 0x7f
        return signal == 0 ? "it ended with status \((status >> 8) & 0xff)" : "it was ended (signal \(signal))"
    }
}
