import BuildpackKit
import BuildpackKitTesting
import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite(
    .timeLimit(.minutes(3)), .enabled("python3 with pip and venv is not installed") { await Tools.hasPythonWithPip() })
struct PythonBuildpackTests {
    /// A directory of packages to install from, so that most of these tests need no network: the package `greeter` with
    /// the command `greet`.
    private func makePackages(_ workspace: Workspace) async throws -> String {
        let script = """
            import sys, zipfile
            with zipfile.ZipFile(sys.argv[1] + "/greeter-1.0-py3-none-any.whl", "w") as wheel:
                info = "greeter-1.0.dist-info/"
                wheel.writestr("greeter.py", "def main():\\n    print('greetings')\\n")
                wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: greeter\\nVersion: 1.0\\n")
                wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
                wheel.writestr(info + "entry_points.txt", "[console_scripts]\\ngreet = greeter:main\\n")
                wheel.writestr(info + "RECORD", "")
            """
        let directory = workspace.root.appending("wheels").string
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        #expect(await Tools.succeeds("python3", ["-c", script, directory]))
        return directory
    }

    private func builder(_ workspace: Workspace, packages: String) -> Builder {
        workspace.builder { $0.buildEnvironment = ["PIP_NO_INDEX": "1", "PIP_FIND_LINKS": packages] }
    }

    @Test func `what it builds runs from any directory, and is taken from the cache the next time`() async throws {
        try await Workspace.with { workspace in
            let packages = try await self.makePackages(workspace)
            let builder = self.builder(workspace, packages: packages)
            let files = [
                "requirements.txt": "greeter==1.0\n", "app.py": "import greeter\ngreeter.main()\n",
                "Procfile": "web: x",
            ]
            var trees: [FilePath] = []
            for round in 1...2 {
                try workspace.write(files)
                let log = RecordingBuildLog()
                let result = try await builder.build(workspace.request(), log: log)
                #expect(result.buildpacks == ["python"])
                #expect(log.lines[0] == "-----> Python application detected")
                #expect(log.text.contains("taken from the cache") == (round == 2))
                let moved = workspace.root.appending("moved \(round)")
                try FileManager.default.moveItem(atPath: workspace.source.string, toPath: moved.string)
                trees.append(moved)
                for command in ["greet", "python app.py"] {
                    let application = RunningApplication(home: moved)
                    #expect(try await application.run(command) == ["greetings"])
                }
            }
            // The same source gives the same tree, byte for byte.
            #expect(await Tools.succeeds("diff", ["-r"] + trees.map(\.string)))
            #expect(await !Tools.succeeds("grep", ["-rq", workspace.source.string, trees[0].string]))
        }
    }

    @Test func `a changed requirements file is installed anew`() async throws {
        try await Workspace.with { workspace in
            let packages = try await self.makePackages(workspace)
            let builder = self.builder(workspace, packages: packages)
            for (requirements, cached) in [
                ("", false), ("greeter\n", false), ("-r more.txt\n", false), ("-r more.txt\n", true),
            ] {
                try workspace.write(["requirements.txt": requirements, "more.txt": "greeter", "Procfile": "web: x"])
                let log = RecordingBuildLog()
                _ = try await builder.build(workspace.request(), log: log)
                #expect(log.text.contains("taken from the cache") == cached)
            }
        }
    }

    @Test func `a package that does not exist fails the build with what pip said`() async throws {
        try await Workspace.with { workspace in
            let packages = try await self.makePackages(workspace)
            try workspace.write(["requirements.txt": "no-such-package==9\n"])
            let error = await #expect(throws: BuildError.self) {
                try await self.builder(workspace, packages: packages).build(
                    workspace.request(), log: RecordingBuildLog())
            }
            #expect(error?.code == .commandFailed)
            #expect(error?.buildpack == "python")
            #expect(error?.tail.contains { $0.contains("no-such-package") } == true)
        }
    }

    @Test func `a syntax error fails the build, with file and line`() async throws {
        try await Workspace.with { workspace in
            try workspace.write([
                "requirements.txt": "", "pkg/broken.py": "x = 1\n\ndef f(:\n", "venv/old.py": "print 'two'\n",
                "node_modules/gyp/x.py": "print 'two'\n",
            ])
            let error = await #expect(throws: BuildError.self) {
                try await workspace.builder().build(workspace.request(), log: RecordingBuildLog())
            }
            #expect(error?.code == .commandFailed)
            #expect(error?.message.hasPrefix("pkg/broken.py, line 3: SyntaxError") == true, "\(error?.message ?? "")")
            try workspace.write(["requirements.txt": "", "broken.py": "def f(:\n"])
            _ = try await workspace.builder().build(
                workspace.request(environment: ["SLIPWAY_SKIP_SYNTAX_CHECK": "1"]), log: RecordingBuildLog())
        }
    }

    @Test func `interpreters on the search path that do not run are passed over`() async throws {
        try await Workspace.with { workspace in
            try workspace.write(["requirements.txt": "", ".python-version": "3"])
            for name in ["python3", "python3.99"] {
                try SourceTree(root: workspace.root).write(
                    "#!/bin/sh\nexit 127\n", to: "shims/\(name)", executable: true)
            }
            let path = "\(workspace.root.appending("shims")):\(Tools.searchPath)"
            let result = try await workspace.builder { $0.searchPath = path }
                .build(workspace.request(), log: RecordingBuildLog())
            #expect(result.buildpacks == ["python"])
        }
    }

    @Test(.enabled("the package index cannot be reached") { await Tools.hasPackageIndex() })
    func `the guestbook builds, moves, runs and is rebuilt from the cache`() async throws {
        try await Workspace.with { workspace in
            for _ in 1...2 {
                try workspace.copy(example: "guestbook")
                let log = RecordingBuildLog()
                let result = try await workspace.builder().build(workspace.request(), log: log)
                #expect(result.processTypes.map(\.name) == ["web"])
                #expect(result.appManifest.healthchecks["web"]?.first?.path == "/healthz")
                let application = try await RunningApplication.start(
                    workspace, command: try #require(result.processTypes.first).command)
                #expect(try await application.curl("/healthz") == ["ok"])
                _ = try await application.curl("-d", "name=Ada&message=<b>hello</b>", "/")
                #expect(try await application.curl("/").joined().contains("&lt;b&gt;hello&lt;/b&gt;"))
                await application.stop()
            }
        }
    }

    @Test(.enabled("the package index cannot be reached") { await Tools.hasPackageIndex() })
    func `a Django application collects its static files, or says why it cannot`() async throws {
        try await Workspace.with { workspace in
            try workspace.copy(example: "django-counter")
            let log = RecordingBuildLog()
            let result = try await workspace.builder().build(workspace.request(), log: log)
            #expect(result.processTypes.map(\.name) == ["release", "web"])
            #expect(log.text.contains("1 static file copied"))
            #expect(workspace.tree.hasFile("staticfiles/style.css"))
            let application = try await RunningApplication.start(
                workspace, command: "python manage.py migrate --noinput && gunicorn counter.wsgi")
            _ = try await application.curl("-X", "POST", "/")
            #expect(try await application.curl("/").joined().contains(#"<h1 id="value">1</h1>"#))
            await application.stop()

            try workspace.copy(example: "django-counter")
            try workspace.tree.write("raise RuntimeError('no settings')\n", to: "counter/settings.py")
            let error = await #expect(throws: BuildError.self) {
                try await workspace.builder().build(workspace.request(), log: RecordingBuildLog())
            }
            #expect(error?.message.contains("DISABLE_COLLECTSTATIC=1") == true)
            #expect(error?.tail.last == "RuntimeError: no settings")
            try workspace.tree.write("", to: "Procfile.old")
        }
    }
}
