import BuildpackKit
import BuildpackKitTesting
import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct BuilderTests {
    @Test func `prints the log in the shape that users know`() async throws {
        try await Workspace.with { workspace in
            try workspace.write(["Procfile": "worker: run\nrelease: migrate\n", ".slugignore": "*.md\n", "a.md": ""])
            let pack = TestBuildpack { context in
                await context.output.step("Working")
                try await context.run("tool", ["--all"])
                return [ProcessType(name: "web", command: "serve"), ProcessType(name: "worker", command: "default")]
            }
            let sandbox = ScriptedSandbox { _ in .succeeds(printing: ["one", "-----> two"]) }
            let log = RecordingBuildLog()
            let result = try await workspace.builder([pack], sandbox: sandbox).build(workspace.request(), log: log)
            #expect(
                log.lines == [
                    "       Left out by .slugignore: 1",
                    "-----> Test application detected",
                    "-----> Working",
                    "       one",
                    "-----> two",
                    "-----> Discovering process types",
                    "       Procfile declares types -> worker, release",
                    "       Default types for Test -> web",
                ])
            #expect(
                result.processTypes == [
                    ProcessType(name: "worker", command: "run"), ProcessType(name: "release", command: "migrate"),
                    ProcessType(name: "web", command: "serve"),
                ])
            #expect(result.buildpacks == ["test"])
            #expect(result.tree == workspace.source)
            #expect(workspace.leftovers.isEmpty)
        }
    }

    @Test func `takes .git and what .slugignore names out before anything is detected`() async throws {
        try await Workspace.with { workspace in
            try workspace.write([
                "Procfile": "web: run", ".git/config": "", "docs/a.md": "", "keep/b.txt": "", "c.md": "",
                ".slugignore": "docs\n*.md",
            ])
            let pack = TestBuildpack { context in
                #expect(context.source.names() == [".slugignore", "Procfile", "keep"])
                return []
            }
            _ = try await workspace.builder([pack]).build(workspace.request(), log: RecordingBuildLog())
        }
    }

    @Test func `says what was looked for when nothing applies`() async throws {
        try await Workspace.with { workspace in
            try workspace.write(["notes.txt": ""])
            let error = await #expect(throws: BuildError.self) {
                try await workspace.builder().build(workspace.request(), log: RecordingBuildLog())
            }
            #expect(error?.code == .nothingDetected)
            for text in ["python: requirements.txt", "nodejs: package.json", "static: index.html", "notes.txt"] {
                #expect(error?.message.contains(text) == true)
            }
        }
    }

    @Test(arguments: [
        (["package.json": "{}", "requirements.txt": ""], "python"),
        (["package.json": "{}", "Procfile": "web: x", "helper.py": ""], "nodejs"),
        (["package.json": "{}", "public/index.html": ""], "nodejs"),
        (["Procfile": "web: x", "index.html": ""], "static"),
        (["Procfile": "web: x", "main.py": ""], "python"),
        (["Procfile": "web: x", "main.sh": ""], "procfile"),
        (["static.json": "{}", "dist/x": ""], "static"),
    ])
    func `detects in order`(files: [String: String], expected: String) async throws {
        try await Workspace.with { workspace in
            try workspace.write(files)
            var found: String?
            for buildpack in Builder.builtInBuildpacks where try await buildpack.detect(workspace.tree) != nil {
                found = found ?? buildpack.name
            }
            #expect(found == expected)
        }
    }

    @Test func `a buildpack list comes from the request, app.json or .buildpacks, in that order`() async throws {
        try await Workspace.with { workspace in
            let packs = ["a", "b", "c"].map { TestBuildpack(name: $0) }
            let builder = workspace.builder(packs)
            let files = ["Procfile": "web: x", ".buildpacks": "# first\nheroku/b\na\n"]
            try workspace.write(files)
            #expect(try await builder.build(workspace.request(), log: RecordingBuildLog()).buildpacks == ["b", "a"])
            try workspace.write(files.merging(["app.json": #"{"buildpacks": [{"url": "c"}]}"#]) { $1 })
            #expect(try await builder.build(workspace.request(), log: RecordingBuildLog()).buildpacks == ["c"])
            let request = workspace.request(buildpacks: ["a", "c"])
            #expect(try await builder.build(request, log: RecordingBuildLog()).buildpacks == ["a", "c"])
        }
    }

    @Test(arguments: [
        ("nope", BuildError.Code.unknownBuildpack, "There is no buildpack `nope`. There are: test"),
        ("https://example.org/x.git", .unknownBuildpack, "would have to be downloaded"),
        ("/etc", .unknownBuildpack, "which is no directory of the application"),
        ("../outside", .unknownBuildpack, "which is no directory of the application"),
        ("never", .detectFailed, "does not apply to this source. It looks for a test."),
    ])
    func `a list that cannot be followed is an error`(name: String, code: BuildError.Code, message: String) async throws
    {
        try await Workspace.with { workspace in
            try workspace.write(["Procfile": "web: x", ".buildpacks": name])
            let packs = [TestBuildpack(), TestBuildpack(name: "never", applies: false)]
            let error = await #expect(throws: BuildError.self) {
                try await workspace.builder(packs).build(workspace.request(), log: RecordingBuildLog())
            }
            #expect(error?.code == code)
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        }
    }

    @Test func `a mistake in Procfile or app.json fails the build before it begins`() async throws {
        try await Workspace.with { workspace in
            let pack = TestBuildpack { _ in
                Issue.record("the buildpack ran")
                return []
            }
            for (files, code) in [
                (["Procfile": "web"], BuildError.Code.invalidProcfile), (["app.json": "{"], .invalidAppManifest),
            ] {
                try workspace.write(files)
                let error = await #expect(throws: BuildError.self) {
                    try await workspace.builder([pack]).build(workspace.request(), log: RecordingBuildLog())
                }
                #expect(error?.code == code)
            }
        }
    }

    @Test func `a failed command is reported with its buildpack, status and last lines`() async throws {
        try await Workspace.with { workspace in
            try workspace.write(["Procfile": "web: x"])
            let lines = (1...30).map { "line \($0)" }
            let sandbox = ScriptedSandbox { _ in .ends(.exited(2), printing: lines) }
            let pack = TestBuildpack { context in
                try await context.run("make", ["it so"])
                return []
            }
            let error = await #expect(throws: BuildError.self) {
                try await workspace.builder([pack], sandbox: sandbox)
                    .build(workspace.request(), log: RecordingBuildLog())
            }
            #expect(error?.code == .commandFailed)
            #expect(error?.buildpack == "test")
            #expect(error?.command == "make 'it so'")
            #expect(error?.exit == .exited(2))
            #expect(error?.tail == Array(lines.suffix(20)))
            #expect(error?.description.contains("(exit status 2)") == true)
        }
    }

    @Test func `commands see config variables, except those that would break the tools`() async throws {
        try await Workspace.with { workspace in
            try workspace.write(["Procfile": "web: x"])
            let sandbox = ScriptedSandbox()
            let pack = TestBuildpack { context in
                context.export(["EXPORTED": "1"])
                try await context.run("tool")
                return []
            }
            let request = workspace.request(
                environment: [
                    "API_KEY": "k", "PATH": "/evil", "LD_PRELOAD": "x", "PYTHONHOME": "x", "1BAD": "x", "A=B": "x",
                ])
            _ = try await workspace.builder([pack], sandbox: sandbox) { $0.buildEnvironment = ["PROXY": "p"] }
                .build(request, log: RecordingBuildLog())
            let environment = try #require(sandbox.commands.first).environment
            #expect(environment["API_KEY"] == "k")
            #expect(environment["PROXY"] == "p")
            #expect(environment["EXPORTED"] == "1")
            #expect(environment["SOURCE_VERSION"] == "0123abc")
            #expect(environment["PATH"] == Tools.searchPath)
            for name in ["LD_PRELOAD", "PYTHONHOME", "1BAD", "A=B"] { #expect(environment[name] == nil) }
        }
    }

    @Test func `a link cannot make the builder read or write outside of the source`() async throws {
        try await Workspace.with { workspace in
            try workspace.write(["Procfile": "web: x"])
            let secret = workspace.root.appending("secret")
            try SourceTree(root: workspace.root).write("{ \"secret\": ", to: "secret")
            try FileManager.default.createSymbolicLink(
                atPath: workspace.source.appending("app.json").string, withDestinationPath: secret.string)
            try FileManager.default.createSymbolicLink(
                atPath: workspace.source.appending(".profile.d").string, withDestinationPath: workspace.root.string)
            let tree = workspace.tree
            #expect(throws: BuildError.self) { try tree.text(of: "app.json") }
            #expect(!tree.hasFile("app.json") && tree.names(in: "..").isEmpty)
            #expect(throws: BuildError.self) { try tree.write("x", to: ".profile.d/x.sh") }
            #expect(throws: BuildError.self) { try tree.write("x", to: "../x.sh") }
        }
    }
}
