import BuildpackKit
import BuildpackKitTesting
import SystemPackage
import TestSupport
import Testing

struct LaunchCommandTests {
    /// Runs the launch command of `command` in `home`, as a runtime would.
    private func launch(_ command: String, home: FilePath, environment: [String: String] = [:]) async throws -> [String]
    {
        let words = LaunchCommand.arguments(for: command)
        let log = RecordingBuildLog()
        let exit = try await Tools.sandbox.run(
            BuildCommand(
                executable: words[0], arguments: Array(words.dropFirst()),
                environment: ["PATH": Tools.searchPath, "HOME": home.string].merging(environment) { _, new in new },
                workingDirectory: home)
        ) { await log.write($0) }
        #expect(exit.isSuccess)
        return log.lines
    }

    @Test(.timeLimit(.minutes(1)))
    func `sources .profile.d in byte order, then .profile`() async throws {
        try await withTemporaryDirectory { home in
            let tree = SourceTree(root: home)
            try tree.write("ORDER=\"$ORDER b\"\nset -- lost\nreturn\n", to: ".profile.d/b.sh")
            try tree.write("ORDER=\"$ORDER B\"\n", to: ".profile.d/B.sh")
            try tree.write("ORDER=\"$ORDER 000\"\nfalse\n", to: ".profile.d/000_first.sh")
            try tree.write("ORDER=not-sourced\n", to: ".profile.d/readme.txt")
            try tree.write("export ORDER=\"$ORDER profile\" WHERE=\"$PWD\"\n", to: ".profile")
            let lines = try await self.launch("echo \"$ORDER|$WHERE|$0|${LC_ALL-unset}|$UNSET\"", home: home)
            #expect(lines == [" 000 B b profile|\(home)|bash|unset|"])
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `understands shell text, and works without any profile`() async throws {
        try await withTemporaryDirectory { home in
            let lines = try await self.launch(
                "echo \"port $PORT\" && echo 'it'\"'\"'s'; echo $LC_ALL", home: home,
                environment: ["PORT": "5000", "LC_ALL": "C.UTF-8"])
            #expect(lines == ["port 5000", "it's", "C.UTF-8"])
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `a simple command is the process that was started`() async throws {
        try await withTemporaryDirectory { home in
            // The shell that says its own pid is replaced by the launched shells, so all three are the same.
            let words = LaunchCommand.arguments(for: "sh -c 'echo $$'").map(Self.quoted).joined(separator: " ")
            let log = RecordingBuildLog()
            _ = try await Tools.sandbox.run(
                BuildCommand(
                    executable: "sh", arguments: ["-c", "echo $$; exec \(words)"],
                    environment: ["PATH": Tools.searchPath, "HOME": home.string], workingDirectory: home)
            ) { await log.write($0) }
            #expect(log.lines.count == 2 && Set(log.lines).count == 1)
        }
    }

    private static func quoted(_ word: String) -> String {
        "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
