import ProcessSupervisor
import ProcessSupervisorTesting
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What an instance on the host is left with, and what it cannot do with that. `SECURITY.md` has the same as a table.
@Suite(.timeLimit(.minutes(1))) struct HardeningTests {
    /// Runs a script as an instance of its own and returns what it wrote.
    static func output(of script: String, user: UserSpec? = nil) async throws -> [String] {
        try await withTemporaryDirectory { directory in
            let output = RecordingOutputHandler()
            return try await withSupervisor(in: directory, output: output) { supervisor in
                let events = supervisor.events()
                var spec = InstanceSpec.shell("a", script, in: "/")
                spec.process.user = user
                _ = try await supervisor.start(spec)
                _ = await first(events) { if case .exited = $0 { true } else { false } }
                return output.texts(of: "a")
            }
        }
    }

    @Test(arguments: [nil, UserSpec(uid: 65534, gid: 65534)])
    func `has no capability and can gain none`(user: UserSpec?) async throws {
        if user != nil, getuid() != 0 { return }
        let script = "grep -E '^(Cap...|NoNewPrivs):' /proc/self/status | tr -d '\\t'"
        let none = "0000000000000000"
        let expected = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map { "\($0):\(none)" } + ["NoNewPrivs:1"]
        let found = try await Self.output(of: script, user: user)
        // Only root can empty the bounding set; for anybody else, NoNewPrivs makes it meaningless.
        #expect(getuid() == 0 ? found == expected : found.filter { !$0.hasPrefix("CapBnd") }.count == 5)
    }

    @Test(.enabled(if: getuid() == 0, "only root can become another user"))
    func `has the wanted groups and none of the host's`() async throws {
        let user = UserSpec(uid: 65534, gid: 65533, supplementaryGroups: [65531, 65532])
        #expect(
            try await Self.output(of: "id -u; id -g; id -G", user: user) == ["65534", "65533", "65533 65531 65532"])
    }

    @Test(.enabled(if: getuid() == 0, "only root can start others' processes"))
    func `another user's instance cannot read or signal this one, mount, or become root`() async throws {
        let victim = UserSpec(uid: 65501, gid: 65501)
        let attacker = UserSpec(uid: 65502, gid: 65502)
        try await withTemporaryDirectory { directory in
            let output = RecordingOutputHandler()
            try await withSupervisor(in: directory, output: output) { supervisor in
                var spec = InstanceSpec.shell("victim", "echo $$; exec sleep 1000", in: "/")
                spec.process.user = victim
                spec.process.environment["SECRET"] = "of the victim"
                _ = try await supervisor.start(spec)
                let pid = await output.lines(of: "victim") { !$0.isEmpty }[0]
                let attacks = [
                    "cat /proc/\(pid)/environ", "ls /proc/\(pid)/fd", "cat /proc/\(pid)/mem", "ls /proc/\(pid)/cwd/",
                    "kill -TERM \(pid)", "unshare -m true", "chown 0 /tmp", "cat /etc/shadow",
                    "renice -n -5 -p $$", "su -c true root < /dev/null", ": >> /proc/sys/kernel/core_pattern",
                    "echo 0 > /sys/fs/cgroup/memory/cgroup.procs", "echo 0 > /sys/fs/cgroup/cgroup.procs",
                ]
                var attack = InstanceSpec.shell(
                    "attacker",
                    attacks.map { "(\($0)) >/dev/null 2>&1 && echo '\($0)'" }.joined(separator: "\n") + "\necho over",
                    in: "/")
                attack.process.user = attacker
                _ = try await supervisor.start(attack)
                let succeeded = await output.lines(of: "attacker") { $0.contains("over") }
                #expect(succeeded == ["over"])
                #expect(supervisor.status(of: "victim")?.state == .ready)
            }
        }
    }

    @Test(.enabled(if: getuid() == 0, "for root alone there is something to take away"))
    func `root without capabilities cannot mount, make devices, or become another user`() async throws {
        let attacks = [
            "unshare -m true", "chroot / true", "setpriv --reuid 65534 --clear-groups true", "mknod device c 1 3",
            "renice -n -5 -p $$",
        ]
        let script = attacks.map { "(\($0)) >/dev/null 2>&1 && echo '\($0)'" }.joined(separator: "\n") + "\necho over"
        #expect(try await Self.output(of: script) == ["over"])
    }
}
