import ProcessSupervisor
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension LauncherConformance.Check {
    /// All promises.
    public static let all: [Self] = Self.starting + Self.ending + Self.limiting + Self.adopting

    static let starting: [Self] = [
        Self("a process gets its arguments, environment and directory, and nothing of the host's") { suite in
            let launcher = try await suite.launcher()
            let script =
                "test \"$PWD\" = \"\(suite.workspace)\" && echo here; env | cut -d= -f1 | sort | tr '\\n' ' '; echo"
            try await suite.withShell(script, launcher: launcher) { shell in
                try requireEqual(try await shell.line(), "here", "the working directory")
                let names = try await shell.line()?.split(separator: " ").filter { $0 != "_" && $0 != "OLDPWD" }
                let own = launcher.givesAddresses ? [LaunchRequest.addressVariable[...]] : []
                try requireEqual(names, ["PATH", "PWD"] + own + ["SLIPWAY_INSTANCE"], "the names in its environment")
            }
        },
        Self("it has three descriptors, and every signal as a program expects it") { suite in
            let launcher = try await suite.launcher()
            // The list is read through a fourth one. A shell ignores no signal by itself.
            let script = "ls /proc/self/fd | wc -l; grep -E '^Sig(Blk|Ign):' /proc/$$/status | cut -f2 | sort -u"
            try await suite.withShell(script, launcher: launcher) { shell in
                try requireEqual(try await shell.line()?.filter(\.isNumber), "4", "open descriptors")
                try requireEqual(try await shell.line(), "0000000000000000", "signals that are blocked or ignored")
                try requireEqual(try await shell.line(), nil, "signals that are blocked or ignored")
            }
        },
        Self("it gets the descriptor for its notification at the wanted number, and none beside it") { suite in
            let launcher = try await suite.launcher()
            // The numbers from 3 are those that a launcher works with before the program has them.
            for number in [3, 4, 5, 9] as [Int32] {
                let (reader, writer) = try Descriptor.pipe(nonBlocking: .readable)
                let startID = suite.newStartID()
                let script = "echo started >&\(number); ls /proc/self/fd | wc -l"
                let shell = try await LaunchedShell(
                    suite.spec(["sh", "-c", script], startID: startID), startID: startID, launcher: launcher,
                    notification: .init(descriptor: writer.file, number: number))
                withExtendedLifetime(writer) {}
                // The list is read through a fifth one.
                try requireEqual(try await shell.line()?.filter(\.isNumber), "5", "open descriptors")
                let told = try readAvailable(reader, limit: 100) ?? []
                try requireEqual(
                    String(decoding: told, as: UTF8.self), "started\n", "what came through number \(number)")
                await shell.end()
            }
        },
        Self("it leads a session of its own") { suite in
            let launcher = try await suite.launcher()
            try await suite.withShell("cut -d' ' -f1,6 /proc/$$/stat", launcher: launcher) { shell in
                let fields = try await shell.line()?.split(separator: " ") ?? []
                try requireEqual(fields.count, 2, "fields")
                try requireEqual(fields.first, fields.last, "the session of the main process")
            }
        },
        Self("what cannot be executed is told, and leaves nothing") { suite in
            let launcher = try await suite.launcher()
            for program in ["no-such-program", "./missing", "/"] {
                let startID = suite.newStartID()
                do {
                    let shell = try await LaunchedShell(
                        suite.spec([program], startID: startID), startID: startID, launcher: launcher)
                    await shell.end()
                } catch let error as SupervisorError {
                    try requireEqual(error.code, .launchFailed, "the error for \(program)")
                    try require(error.message.contains(program), "the error does not name \(program): \(error)")
                    continue
                }
                throw Violation("\(program) was executed")
            }
        },
        Self("the end of a process is told as it was, however soon it comes") { suite in
            let launcher = try await suite.launcher()
            let ends: [(String, ExitStatus)] = [
                ("exit 0", .exited(0)), ("exit 7", .exited(7)), ("kill -KILL $$", .signalled(9)),
                ("kill -SEGV $$", .signalled(11)),
                // Through a chain of programs in the same process.
                ("exec sh -c 'exec sh -c \"exec sh -c \\\"exit 5\\\"\"'", .exited(5)),
            ]
            for (script, expected) in ends {
                try await suite.withShell(script, launcher: launcher) { shell in
                    let status = await shell.handle.waitForExit()
                    try requireEqual(status, expected, "the end of \(script)")
                    let again = await shell.handle.waitForExit()
                    try requireEqual(again, expected, "the end of \(script), asked again")
                }
            }
        },
        Self("who closes its output is a process like others") { suite in
            let launcher = try await suite.launcher()
            let script = "exec 3>&1 >&- 2>&-; echo up >&3; exec sleep 1000"
            try await suite.withShell(script, launcher: launcher) { shell in
                try requireEqual(try await shell.line(), "up", "the line")
                await shell.end()
                try shell.requireNobodyLeft("after killTree")
            }
        },
        Self("a process holds its output open itself, and outlives who reads it") { suite in
            let launcher = try await suite.launcher()
            try await suite.checkOutputIsHeld(launcher)
        },
    ]
}

extension LauncherConformance {
    fileprivate func checkOutputIsHeld(_ launcher: any Launcher) async throws {
        let path = self.workspace.appending("output")
        guard mkfifo(path.string, 0o600) == 0 else { throw Violation("cannot make a FIFO at \(path)") }
        let startID = self.newStartID()
        let script = "echo one; while ! test -e go; do sleep 0.02; done; echo two; echo done > over; exec sleep 1000"
        // Opened before, as the supervisor does it.
        var first: Descriptor? = try Self.openForReading(path)
        let process = try await launcher.launch(
            LaunchRequest(
                id: "conformance", startID: startID, process: self.spec(["sh", "-c", script], startID: startID),
                output: .fifo(path)))
        let outcome = await Result {
            if let reader = first {
                try requireEqual(try await Self.read(4, from: reader), "one\n", "what is written while somebody reads")
            }
            first = nil  // closed: now nobody reads
            try FileDescriptor.open(
                self.workspace.appending("go"), .writeOnly, options: [.create], permissions: .ownerReadWrite
            ).close()
            while access(self.workspace.appending("over").string, F_OK) != 0 {
                try Task.checkCancellation()
                await Task.yield()
            }
            let second = try Self.openForReading(path)
            try requireEqual(try await Self.read(4, from: second), "two\n", "what was written when nobody read")
        }
        await process.handle.killTree()
        process.handle.release()
        try outcome.get()
    }

    private static func openForReading(_ path: FilePath) throws -> Descriptor {
        Descriptor(
            owning: try FileDescriptor.open(path, .readOnly, options: [.nonBlocking, .closeOnExec]).rawValue)
    }

    private static func read(_ count: Int, from descriptor: Descriptor) async throws -> String {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let more = try readAvailable(descriptor, limit: 4096) else { break }
            bytes += more
            if more.isEmpty { await descriptor.wait(for: .readable) }
            try Task.checkCancellation()
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Result where Success == Void, Failure == any Error {
    /// What came of an asynchronous body.
    init(_ body: () async throws -> Void) async {
        do {
            try await body()
            self = .success(())
        } catch {
            self = .failure(error)
        }
    }
}
