import BuildpackKit
import BuildpackKitTesting
import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ClassicBuildpackTests {
    /// Writes a buildpack into the workspace, beside the application.
    private func pack(
        _ workspace: Workspace, _ name: String, detect: String = "echo Sample", compile: String, release: String? = nil
    ) throws -> String {
        let tree = SourceTree(root: workspace.root)
        // Not executable: what is in `bin` is made so.
        try tree.write("#!/usr/bin/env bash\n\(detect)\n", to: "\(name)/bin/detect")
        try tree.write("#!/usr/bin/env bash\nset -eu\n\(compile)\n", to: "\(name)/bin/compile")
        if let release { try tree.write("#!/usr/bin/env bash\n\(release)\n", to: "\(name)/bin/release") }
        return workspace.root.appending(name).string
    }

    @Test func `runs detect, compile and release as Heroku does`() async throws {
        try await Workspace.with { workspace in
            let pack = try self.pack(
                workspace, "pack",
                detect: "test -f \"$1/marker\" && echo Sample && echo noise >&2",
                compile: """
                    echo "-----> In $(basename "$PWD"), stack $STACK, version $SOURCE_VERSION"
                    cat lib/data
                    test -d "$2" && echo "cache ok"
                    echo "secret has $(wc -c <"$3/SECRET") bytes, environment ${SECRET-none}"
                    test "$HOME" = "$1" && echo "home ok"
                    echo error >&2
                    touch touched
                    mkdir -p "$1/.profile.d" && echo 'export BUILT=1' >"$1/.profile.d/sample.sh"
                    """,
                release: "echo ---; echo noise >&2; echo default_process_types:; echo '  web: ./serve'")
            try SourceTree(root: workspace.root).write("from the pack\n", to: "pack/lib/data")
            try workspace.write(["marker": "", "Procfile": "worker: x"])
            let log = RecordingBuildLog()
            let result = try await workspace.builder().build(
                workspace.request(buildpacks: [pack], environment: ["SECRET": "hush\n"]), log: log)
            #expect(
                log.lines.prefix(8) == [
                    "-----> Sample application detected",
                    "-----> In buildpack-pack, stack heroku-22, version 0123abc",
                    "from the pack", "cache ok", "secret has 5 bytes, environment none", "home ok", "error",
                    "-----> Discovering process types",
                ])
            #expect(result.processTypes.last == ProcessType(name: "web", command: "./serve"))
            #expect(result.buildpacks == ["pack"])
            #expect(workspace.tree.hasFile(".profile.d/sample.sh"))
            #expect(!SourceTree(root: workspace.root).hasFile("pack/touched"))
        }
    }

    @Test func `what one pack exports, the next ones see`() async throws {
        try await Workspace.with { workspace in
            let first = try self.pack(
                workspace, "first",
                compile: """
                    mkdir -p "$1/vendor/bin"
                    printf '#!/bin/sh\\necho vendored tool\\n' >"$1/vendor/bin/tool"; chmod +x "$1/vendor/bin/tool"
                    cat >export <<'E'
                    export PATH="${HOME}/vendor/bin:${PATH}"
                    declare -x NAME="two words"
                    export DEFAULTED="${UNSET_VARIABLE:-fallback}"
                    NOT_EXPORTED=1
                    E
                    """)
            let second = try self.pack(
                workspace, "second", compile: "tool; echo \"$NAME, $DEFAULTED, ${NOT_EXPORTED-none}\"",
                release: "echo 'default_process_types: {web: second}'")
            try workspace.write(["Procfile": "worker: x"])
            let log = RecordingBuildLog()
            let result = try await workspace.builder().build(
                workspace.request(buildpacks: [first, second]), log: log)
            #expect(log.lines.contains("vendored tool"))
            #expect(log.lines.contains("two words, fallback, none"))
            #expect(result.processTypes.map(\.name) == ["worker", "web"])
        }
    }

    @Test func `keeps the cache when a build succeeds, and the old one when it fails`() async throws {
        try await Workspace.with { workspace in
            let counting = try self.pack(
                workspace, "counting",
                compile: """
                    n=$(cat "$2/count" 2>/dev/null || echo 0)
                    echo "count $n"
                    echo $((n + 1)) >"$2/count"
                    test ! -f "$1/broken"
                    """)
            let builder = workspace.builder()
            for (files, expected) in [
                (["Procfile": "web: x"], "count 0"), (["Procfile": "web: x", "broken": ""], "count 1"),
                (["Procfile": "web: x"], "count 1"), (["Procfile": "web: x"], "count 2"),
            ] {
                try workspace.write(files)
                let log = RecordingBuildLog()
                _ = try? await builder.build(workspace.request(buildpacks: [counting]), log: log)
                #expect(log.lines.contains(expected), "\(log.text)")
            }
        }
    }

    @Test func `a pack that does not apply explains itself in the log`() async throws {
        try await Workspace.with { workspace in
            let pack = try self.pack(workspace, "pack", detect: "echo 'there is no marker' >&2; exit 1", compile: "")
            try workspace.write(["Procfile": "web: x"])
            let log = RecordingBuildLog()
            let error = await #expect(throws: BuildError.self) {
                try await workspace.builder().build(workspace.request(buildpacks: [pack]), log: log)
            }
            #expect(error?.code == .detectFailed)
            #expect(log.lines == ["       there is no marker"])
        }
    }

    @Test func `a failed compile is the build's error`() async throws {
        try await Workspace.with { workspace in
            let pack = try self.pack(workspace, "pack", compile: "echo going wrong; exit 4")
            try workspace.write(["Procfile": "web: x"])
            let error = await #expect(throws: BuildError.self) {
                try await workspace.builder().build(workspace.request(buildpacks: [pack]), log: RecordingBuildLog())
            }
            #expect(error?.code == .commandFailed)
            #expect(error?.exit == .exited(4))
            #expect(error?.buildpack == "pack")
            #expect(error?.tail == ["going wrong"])
        }
    }

    @Test func `a directory of the application can be its buildpack`() async throws {
        try await Workspace.with { workspace in
            try workspace.write([
                ".buildpacks": "./build/pack", "build/pack/bin/detect": "#!/bin/sh\necho Own",
                "build/pack/bin/compile": "#!/bin/sh\necho built", "Procfile": "web: x",
            ])
            let log = RecordingBuildLog()
            _ = try await workspace.builder().build(workspace.request(), log: log)
            #expect(log.lines.prefix(2) == ["-----> Own application detected", "built"])
        }
    }

    @Test func `a directory without the scripts is no buildpack`() async throws {
        try await Workspace.with { workspace in
            try workspace.write(["Procfile": "web: x"])
            let error = await #expect(throws: BuildError.self) {
                try await workspace.builder().build(
                    workspace.request(buildpacks: [workspace.root.string]), log: RecordingBuildLog())
            }
            #expect(error?.code == .unknownBuildpack)
            #expect(error?.message.contains("has no bin/detect") == true)
        }
    }
}
