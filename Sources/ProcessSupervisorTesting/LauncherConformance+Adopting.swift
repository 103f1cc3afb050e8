import ProcessSupervisor

extension LauncherConformance.Check {
    static let adopting: [Self] = [
        Self("the next launcher takes over the same process, and ends it with all that is its") { suite in
            try await suite.checkAdoption(withNumber: true)
        },
        Self("a process whose number was not written yet is found by its mark") { suite in
            try await suite.checkAdoption(withNumber: false)
        },
        Self("of a process that has ended, what is left is killed and nothing is taken over") { suite in
            let launcher = try await suite.launcher()
            let script = "(setsid env -i /bin/sh -c 'echo daemon; exec sleep 1000' &); exit 0"
            try await suite.withShell(script, launcher: launcher) { shell in
                try requireEqual(try await shell.line(), "daemon", "the line")
                _ = await shell.handle.waitForExit()
                // What the old launcher knew is gone with it.
                let next = try await suite.launcher()
                let adopted = try await next.adopt(shell.record())
                try require(adopted == nil, "a process that has ended was taken over")
                try shell.requireNobodyLeft("after the adoption")
            }
        },
        Self("a process of another boot is nobody's") { suite in
            let launcher = try await suite.launcher()
            try await suite.withShell("echo up; exec sleep 1000", launcher: launcher) { shell in
                try requireEqual(try await shell.line(), "up", "the line")
                var record = shell.record()
                record.bootID = "another"
                let adopted = try await launcher.adopt(record)
                try require(adopted == nil, "it was taken over")
                await shell.handle.signal(10)
                let status = await shell.handle.waitForExit()
                try requireEqual(status, .signalled(10), "the end of the process that now has the number")
            }
        },
        Self("a number that somebody else has got is not taken over") { suite in
            let launcher = try await suite.launcher()
            try await suite.withShell("echo up; exec sleep 1000", launcher: launcher) { shell in
                try requireEqual(try await shell.line(), "up", "the line")
                var record = shell.record()
                record.startTime = shell.process.startTime - 1
                record.startID = suite.newStartID()
                let adopted = try await launcher.adopt(record)
                try require(adopted == nil, "it was taken over")
                await shell.handle.signal(10)
                let status = await shell.handle.waitForExit()
                try requireEqual(status, .signalled(10), "the end of the process that now has the number")
            }
        },
        Self("what is known is not ended as a leftover") { suite in
            let launcher = try await suite.launcher()
            try await suite.withShell("echo up; exec sleep 1000", launcher: launcher) { shell in
                try requireEqual(try await shell.line(), "up", "the line")
                await launcher.endLeftovers(except: [shell.startID])
                await shell.handle.signal(10)
                let status = await shell.handle.waitForExit()
                try requireEqual(status, .signalled(10), "the end")
            }
        },
    ]
}

extension LauncherConformance {
    fileprivate func checkAdoption(withNumber: Bool) async throws {
        let script =
            "trap 'exit 9' TERM; (setsid sh -c 'trap \"\" TERM; echo daemon; while :; do sleep 0.02; done' &);"
            + " echo up; while :; do sleep 0.02; done"
        let launcher = try await self.launcher()
        let limits = ResourceLimits(memoryBytes: 64 << 20)
        try await self.withShell(script, limits: limits, launcher: launcher) { shell in
            _ = try await shell.lines(2)
            let next = try await self.launcher()
            guard let adopted = try await next.adopt(shell.record(withNumber: withNumber)) else {
                throw Violation("nothing was taken over")
            }
            try requireEqual(adopted.pid, shell.process.pid, "the number")
            try requireEqual(adopted.startTime, shell.process.startTime, "the time of its start")
            if self.scope(of: .memory, next) == .instance {
                try require((adopted.handle.usage()?.memoryBytes ?? 0) > 0, "nothing is counted any more")
            }
            await adopted.handle.signal(15)
            let status = await adopted.handle.waitForExit()
            try requireEqual(status, .exited(9), "the end")
            await adopted.handle.killTree()
            try shell.requireNobodyLeft("after killTree")
            adopted.handle.release()
        }
    }
}
