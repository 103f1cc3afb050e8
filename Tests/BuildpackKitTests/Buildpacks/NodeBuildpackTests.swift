import BuildpackKit
import BuildpackKitTesting
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(1)))
struct NodeBuildpackTests {
    /// A machine with these tools, of which nothing really runs.
    private func build(
        _ files: [String: String], node: String = "v20.11.1",
        behaviour: @escaping @Sendable (BuildCommand) -> ScriptedSandbox.Behaviour = { _ in .succeeds() }
    ) async throws -> (commands: [String], types: [ProcessType]) {
        var result: ([String], [ProcessType]) = ([], [])
        try await Workspace.with { workspace in
            try workspace.write(files)
            for tool in ["node", "npm", "yarn", "corepack"] {
                try SourceTree(root: workspace.root).write("", to: "bin/\(tool)", executable: true)
            }
            let sandbox = ScriptedSandbox { command in
                command.arguments == ["--version"] ? .succeeds(printing: [node]) : behaviour(command)
            }
            let bin = workspace.root.appending("bin").string
            let built = try await workspace.builder(sandbox: sandbox) { $0.searchPath = bin }
                .build(workspace.request(), log: RecordingBuildLog())
            result = (
                sandbox.commands.dropFirst().map { $0.description.replacing("\(bin)/", with: "") }, built.processTypes
            )
        }
        return result
    }

    private static let dependencies = #""dependencies": {"express": "^4"}"#

    @Test(
        arguments: [
            ("", [:], ["npm install --no-audit --no-fund --include=dev"]),
            ("", ["package-lock.json": "{}"], ["npm ci --no-audit --no-fund --include=dev"]),
            ("", ["yarn.lock": ""], ["yarn install --production=false --non-interactive --frozen-lockfile"]),
            ("", ["yarn.lock": "", ".yarnrc.yml": ""], ["yarn install --immutable"]),
            ("", ["pnpm-lock.yaml": ""], ["corepack pnpm install --prod=false --frozen-lockfile"]),
            (#", "packageManager": "pnpm@9.1.0""#, [:], ["corepack pnpm install --prod=false"]),
            (
                #", "scripts": {"build": "tsc", "heroku-prebuild": "x"}, "devDependencies": {"typescript": "*"}"#,
                ["package-lock.json": "{}"],
                [
                    "npm run heroku-prebuild", "npm ci --no-audit --no-fund --include=dev", "npm run build",
                    "npm prune --omit=dev --no-audit --no-fund",
                ]
            ),
            (
                #", "scripts": {"build": "tsc", "heroku-postbuild": "x"}"#, ["package-lock.json": "{}"],
                ["npm ci --no-audit --no-fund --include=dev", "npm run heroku-postbuild"]
            ),
        ] as [(String, [String: String], [String])])
    func `installs by the lock file's manager`(more: String, files: [String: String], expected: [String]) async throws {
        let package = ["package.json": "{\(Self.dependencies)\(more)}", "Procfile": "web: x"]
        let (commands, _) = try await self.build(files.merging(package) { $1 })
        #expect(commands == expected)
    }

    @Test(arguments: [
        (["package.json": #"{"scripts": {"start": "node x.js"}}"#], ["npm start"]),
        (["package.json": "{}", "server.js": ""], ["node server.js"]),
        (["package.json": "{}"], []),
    ])
    func `needs nothing to build a package without dependencies`(files: [String: String], web: [String]) async throws {
        let (commands, types) = try await self.build(files)
        #expect(commands.isEmpty)
        #expect(types.map(\.command) == web)
    }

    @Test(arguments: [
        (#"{"engines": {"node": "18.x"}}"#, BuildError.Code.runtimeMissing, "asks for Node.js 18.x"),
        (#"{"engines": {"node": "newest"}}"#, .invalidSource, "is no range of versions"),
        ("{\n\"name\": }", .invalidSource, "package.json, line 2"),
        ("[]", .invalidSource, "must hold an object"),
    ])
    func `says what is wrong with package.json`(text: String, code: BuildError.Code, message: String) async throws {
        let error = await #expect(throws: BuildError.self) { try await self.build(["package.json": text]) }
        #expect(error?.code == code)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test func `says that the registry cannot be reached`() async throws {
        let error = await #expect(throws: BuildError.self) {
            try await self.build(["package.json": "{\(Self.dependencies)}"]) { _ in
                .ends(.exited(1), printing: ["npm error code ENOTFOUND"])
            }
        }
        #expect(error?.code == .commandFailed)
        #expect(error?.message.contains("registry could not be reached") == true)
        #expect(error?.buildpack == "nodejs")
    }

    @Test(.enabled(if: Tools.has("node"), "node is not installed"))
    func `a sample without dependencies builds and runs`() async throws {
        try await Workspace.with { workspace in
            try workspace.copy(example: "node-hello")
            let result = try await workspace.builder().build(workspace.request(), log: RecordingBuildLog())
            #expect(result.processTypes == [ProcessType(name: "web", command: "node server.js")])
            #expect(result.appManifest.healthchecks["web"]?.first?.path == "/healthz")
            let application = try await RunningApplication.start(workspace, command: "node server.js")
            let answer = try await application.curl("-d", "hello", "/echo", "-D", "-")
            #expect(answer.contains { $0.hasPrefix("X-Body-SHA256: 2cf24dba") })
            #expect(answer.last == "hello")
            await application.stop()
        }
    }
}
