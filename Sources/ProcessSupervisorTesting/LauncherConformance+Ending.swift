import ProcessSupervisor
import SystemPackage

extension LauncherConformance.Check {
    static let ending: [Self] = [
        Self("a signal reaches every process of the tree") { suite in
            let launcher = try await suite.launcher()
            let child = "trap \"echo child heard; exit 0\" TERM; echo up; while :; do sleep 0.02; done"
            let script = "sh -c '\(child)' & trap 'wait; echo main heard; exit 3' TERM; wait; wait"
            try await suite.withShell(script, launcher: launcher) { shell in
                try requireEqual(try await shell.line(), "up", "the first line")
                await shell.handle.signal(15)
                let status = await shell.handle.waitForExit()
                try requireEqual(status, .exited(3), "the end of the main process")
                await shell.handle.waitUntilTreeIsGone()
                let lines = try await shell.rest().split(separator: "\n")
                try require(lines.contains("child heard") && lines.contains("main heard"), "found only \(lines)")
            }
        },
        Self("who ignores every signal is killed") { suite in
            let launcher = try await suite.launcher()
            let script = "trap '' HUP INT QUIT TERM USR1 USR2; echo deaf; while :; do sleep 0.02; done"
            try await suite.checkNothingIsLeft(of: script, lines: 1, launcher) { shell in
                await shell.handle.signal(15)
            }
        },
        Self("a daemon by the book is killed with the rest") { suite in
            // Forked twice, a session of its own, parent gone, environment wiped, deaf.
            let daemon = "trap \"\" TERM; echo daemon; while :; do sleep 0.02; done"
            let script = "(setsid env -i /bin/sh -c '\(daemon)' &); exec sleep 1000"
            try await suite.checkNothingIsLeft(of: script, lines: 1, try await suite.launcher())
        },
        Self("a daemon is killed though the main process has ended") { suite in
            let script = "(setsid env -i /bin/sh -c 'echo daemon; exec sleep 1000' &); exit 0"
            try await suite.checkNothingIsLeft(of: script, lines: 1, try await suite.launcher()) { shell in
                let status = await shell.handle.waitForExit()
                try requireEqual(status, .exited(0), "the end of the main process")
            }
        },
        Self("sessions within sessions are killed") { suite in
            let script = "echo 1; setsid sh -c 'echo 2; setsid sh -c \"echo 3; exec sleep 1000\"'"
            try await suite.checkNothingIsLeft(of: script, lines: 3, try await suite.launcher())
        },
        Self("what forks faster than it is killed is killed") { suite in
            // Each process starts its successor and ends: a list of processes is out of date before it is read.
            let runner = "if test $1 = 0; then echo up; fi; sh runner $(($1 + 1)) & exit 0"
            let script = "echo '\(runner)' > runner; for i in 1 2 3 4; do sh runner 0 & done; exec sleep 1000"
            try await suite.checkNothingIsLeft(of: script, lines: 4, try await suite.launcher())
        },
        Self("a crowd is killed") { suite in
            let script = "i=0; while test $i -lt 100; do sleep 1000 & i=$((i + 1)); done; echo up; exec sleep 1000"
            try await suite.checkNothingIsLeft(of: script, lines: 1, try await suite.launcher())
        },
        Self("who never waits for its children is killed with their remains") { suite in
            // The shell becomes a program that knows nothing of its children, and they end.
            let script = "i=0; while test $i -lt 50; do sleep 0.01 & i=$((i + 1)); done; echo up; exec sleep 1000"
            try await suite.checkNothingIsLeft(of: script, lines: 1, try await suite.launcher())
        },
        Self("who is stopped is killed") { suite in
            let script = "sh -c 'echo up; kill -STOP $$' & exec sleep 1000"
            try await suite.checkNothingIsLeft(of: script, lines: 1, try await suite.launcher())
        },
        Self("the end of the whole tree is told, not that of its main process") { suite in
            let launcher = try await suite.launcher()
            let script = "(trap '' TERM; while ! test -e go; do sleep 0.02; done; echo late) & echo up; exit 0"
            try await suite.withShell(script, launcher: launcher) { shell in
                try requireEqual(try await shell.line(), "up", "the first line")
                _ = await shell.handle.waitForExit()
                async let end: Void = shell.handle.waitUntilTreeIsGone()
                try FileDescriptor.open(
                    suite.workspace.appending("go"), .writeOnly, options: [.create], permissions: .ownerReadWrite
                ).close()
                await end
                try shell.requireNobodyLeft("after waitUntilTreeIsGone")
                try requireEqual(try await shell.rest(), "late\n", "what the last one wrote")
            }
        },
        Self("killing what has ended is no error, and kills nobody else") { suite in
            let launcher = try await suite.launcher()
            try await suite.withShell("echo up; exec sleep 1000", launcher: launcher) { other in
                try requireEqual(try await other.line(), "up", "the other's line")
                try await suite.withShell("exit 0", launcher: launcher) { shell in
                    _ = await shell.handle.waitForExit()
                    await shell.handle.signal(15)
                    await shell.handle.killTree()
                    await shell.handle.killTree()
                }
                await other.handle.signal(10)
                let status = await other.handle.waitForExit()
                try requireEqual(status, .signalled(10), "the end of another instance")
            }
        },
        Self("what runs beside an instance is ended alone") { suite in
            let launcher = try await suite.launcher()
            try await suite.withShell("echo up; exec sleep 1000", launcher: launcher) { instance in
                try requireEqual(try await instance.line(), "up", "the instance's line")
                let mark = "\(instance.startID).\(suite.newStartID())"
                let script = "echo probe; exec sleep 1000"
                try await suite.withShell(script, startID: mark, launcher: launcher) { probe in
                    try requireEqual(try await probe.line(), "probe", "the probe's line")
                    await probe.end()
                    try probe.requireNobodyLeft("after killTree")
                }
                await instance.handle.signal(10)
                let status = await instance.handle.waitForExit()
                try requireEqual(status, .signalled(10), "the end of the instance")
            }
        },
    ]
}

extension LauncherConformance {
    /// Runs a script until it has written so many lines, kills its tree, and requires that nobody is left.
    func checkNothingIsLeft(
        of script: String, lines: Int, limits: ResourceLimits = ResourceLimits(), _ launcher: any Launcher,
        before: (LaunchedShell) async throws -> Void = { _ in }
    ) async throws {
        try await self.withShell(script, limits: limits, launcher: launcher) { shell in
            let found = try await shell.lines(lines)
            try requireEqual(found.count, lines, "lines before the end")
            try await before(shell)
            await shell.handle.killTree()
            try shell.requireNobodyLeft("after killTree")
        }
    }
}
