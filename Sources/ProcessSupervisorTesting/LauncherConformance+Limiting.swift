import ProcessSupervisor

extension LauncherConformance.Check {
    static let limiting: [Self] = [
        Self("core dumps are off, and open files are as many as wanted") { suite in
            let launcher = try await suite.launcher()
            // Fewer than this process has: what starts another must not need one more by then.
            let limits = ResourceLimits(maxOpenFiles: 12)
            try await suite.withShell("ulimit -c; ulimit -n", limits: limits, launcher: launcher) { shell in
                let values = try await shell.lines(2)
                if suite.scope(of: .coreDumps, launcher) != .none {
                    try requireEqual(values.first, "0", "the size of a core dump")
                }
                if suite.scope(of: .openFiles, launcher) != .none {
                    try requireEqual(values.last, "12", "open files")
                }
            }
        },
        Self("who wants all memory at once is killed for it, and it is told") { suite in
            // Without a line's end in sight, it keeps everything.
            try await suite.checkMemory("exec tail /dev/zero")
        },
        Self("who wants more and more memory is killed for it, and it is told") { suite in
            try await suite.checkMemory("a=0123456789abcdef; while :; do a=$a$a; done")
        },
        Self("a child that is killed for memory takes the instance along, and it is told") { suite in
            try await suite.checkMemory("tail /dev/zero || exit 3; exec sleep 1000")
        },
        Self("memory is counted for all processes together") { suite in
            let launcher = try await suite.launcher()
            guard suite.scope(of: .memory, launcher) == .instance else { return }
            // Each of them alone is far below the limit.
            let script = "for i in 1 2 3 4 5 6 7 8; do (head -c 16000000 /dev/zero | tail; sleep 1000) & done; wait"
            let limits = ResourceLimits(memoryBytes: 64 << 20)
            try await suite.withShell(script, limits: limits, launcher: launcher) { shell in
                // Somebody is killed; the shells of the others live on.
                while (shell.handle.usage()?.memoryKills ?? 0) == 0 {
                    try Task.checkCancellation()
                    await Task.yield()
                }
                let peak = shell.handle.usage()?.peakMemoryBytes ?? 0
                try require((32 << 20) < peak && peak <= (65 << 20), "the most memory was \(peak)")
                await shell.handle.killTree()
                try shell.requireNobodyLeft("after killTree")
            }
        },
        Self("a fork bomb stays within its number of processes, and is killed") { suite in
            let launcher = try await suite.launcher()
            guard suite.scope(of: .processes, launcher) == .instance else { return }
            // Two children each, for ever; a fork that is refused is tried again. Who has no limit is not asked to run it.
            let bomb = "while :; do sh bomb 2>/dev/null & sh bomb 2>/dev/null & echo up; wait; done"
            let script = "echo '\(bomb)' > bomb; . ./bomb"
            let limits = ResourceLimits(memoryBytes: 256 << 20, maxProcesses: 40)
            try await suite.checkNothingIsLeft(of: script, lines: 8, limits: limits, launcher) { shell in
                while (shell.handle.usage()?.processes ?? 40) < 36 {
                    try Task.checkCancellation()
                    await Task.yield()
                }
                let count = shell.handle.usage()?.processes ?? .max
                try require(count <= 40, "\(count) processes of 40")
            }
        },
        Self("what is used is counted") { suite in
            let launcher = try await suite.launcher()
            guard suite.scope(of: .memory, launcher) == .instance else { return }
            let script = "i=0; while test $i -lt 100000; do i=$((i + 1)); done; sleep 1000 & echo up; wait"
            try await suite.withShell(script, launcher: launcher) { shell in
                try requireEqual(try await shell.line(), "up", "the line")
                guard let usage = shell.handle.usage() else { throw Violation("nothing is counted") }
                try require((usage.memoryBytes ?? 0) > 0, "memory: \(usage)")
                try require((usage.peakMemoryBytes ?? 0) >= (usage.memoryBytes ?? 0), "the most memory: \(usage)")
                try requireEqual(usage.processes, 2, "processes")
                try require((usage.cpuTime ?? .zero) > .zero, "time on processors: \(usage)")
                try requireEqual(usage.memoryKills, 0, "kills")
            }
        },
        Self("a limit that cannot be set is told, and nothing is started") { suite in
            let launcher = try await suite.launcher()
            guard suite.scope(of: .processes, launcher) == .instance else { return }
            let startID = suite.newStartID()
            let spec = suite.spec(["sleep", "1000"], limits: ResourceLimits(maxProcesses: -5), startID: startID)
            do {
                let shell = try await LaunchedShell(spec, startID: startID, launcher: launcher)
                await shell.end()
            } catch let error as SupervisorError {
                return try requireEqual(error.code, .launchFailed, "the error")
            }
            throw Violation("a process was started with a limit of -5 processes")
        },
    ]
}

extension LauncherConformance {
    fileprivate func checkMemory(_ script: String) async throws {
        let launcher = try await self.launcher()
        let scope = self.scope(of: .memory, launcher)
        // Who has no limit would take the machine's.
        guard scope == .instance || scope == .process else { return }
        let limit = 48 << 20
        let limits = ResourceLimits(memoryBytes: limit)
        try await self.withShell("echo up; \(script)", limits: limits, launcher: launcher) { shell in
            try requireEqual(try await shell.line(), "up", "the first line")
            let status = await shell.handle.waitForExit()
            switch status {
            case .outOfMemory(let excess):
                try requireEqual(excess.limitBytes, limit, "the limit that was told")
                let used = excess.usedBytes ?? 0
                try require(used > limit / 2 && used <= limit + (1 << 20), "\(used) bytes used of \(limit)")
            case .exited(0): throw Violation("it ended well")
            default: try require(scope == .process, "the end was told as: \(status)")
            }
        }
    }
}
