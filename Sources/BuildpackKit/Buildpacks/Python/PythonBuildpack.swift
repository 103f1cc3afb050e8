import SystemPackage

/// Builds Python applications with an interpreter of this machine and packages by pip.
///
/// - **Which Python**: `.python-version`, else `runtime.txt`, else `requires-python` in `pyproject.toml`, else the first
///   `python3` on the search path.
/// - **Which packages**: the first of `requirements.txt`, `Pipfile.lock`, `Pipfile`, `pyproject.toml`, `setup.py`. They go
///   into `.slipway/python`; an unchanged list is copied from the cache instead of installed again.
/// - **Checks**: every source file must compile; `SLIPWAY_SKIP_SYNTAX_CHECK=1` as a config variable turns that off.
/// - **Django**: `collectstatic` is run unless `DISABLE_COLLECTSTATIC=1`.
public struct PythonBuildpack: Buildpack {
    public let name = "python"
    public let displayName = "Python"
    public let looksFor = "requirements.txt, pyproject.toml, Pipfile, manage.py, setup.py, or *.py with a Procfile"

    /// Creates the buildpack.
    public init() {}

    public func detect(_ source: SourceTree) -> Detection? {
        let signs = ["requirements.txt", "Pipfile", "Pipfile.lock", "pyproject.toml", "manage.py", "setup.py"]
        if signs.contains(where: { source.hasFile($0) }) { return Detection() }
        // A script beside a package.json is a helper of a Node.js application.
        guard source.hasFile("Procfile"), !source.hasFile("package.json") else { return nil }
        return source.names().contains { $0.hasSuffix(".py") } ? Detection() : nil
    }

    public func build(_ context: BuildContext) async throws -> [ProcessType] {
        let project = try PythonProject(context.source)
        let request = try project.version()
        let interpreter = try PythonInterpreter.choose(request, from: try await PythonInterpreter.installed(context))
        let why = request.origin.isEmpty ? "" : ", as \(request.origin) asks for \(request.text)"
        await context.output.step("Using Python \(interpreter.version)\(why)")
        if !request.admits(interpreter.version) {
            await context.output.warning(
                "Python \(request.text) is not installed; \(interpreter.version) serves instead")
        }
        let environment = PythonEnvironment(context: context, interpreter: interpreter)
        try await self.install(project.dependencies(), environment)
        try self.writeProfile(context)
        let bin = environment.root.appending("bin").string
        context.export(["PATH": "\(bin):\(context.environment["PATH"] ?? "")", "PYTHONDONTWRITEBYTECODE": "1"])
        try await self.checkSyntax(environment)
        let framework = PythonFramework(source: context.source, environment: environment)
        if framework.isDjango { try await self.collectStatic(environment) }
        return try framework.web().map { [ProcessType(name: "web", command: $0)] } ?? []
    }

    private func install(_ dependencies: PythonProject.Dependencies?, _ environment: PythonEnvironment) async throws {
        let context = environment.context
        try await context.source.makeEmptyDirectory(PythonEnvironment.path)
        let cache = PythonPackageCache(directory: context.cache)
        let key = self.key(dependencies, environment)
        if let dependencies {
            await context.output.step("Installing packages from \(dependencies.origin)")
        }
        if let key, try await cache.restore(key, to: environment.root) {
            await context.output.detail("Nothing changed since the last build: taken from the cache")
            return
        }
        try await environment.create()
        if let dependencies {
            var arguments = dependencies.arguments
            if let text = dependencies.generated {
                let file = context.scratch.appending("requirements.txt")
                try FileTree.write(text, to: file)
                arguments = ["-r", file.string]
            }
            try await environment.install(arguments)
        }
        try await environment.relocate()
        try await environment.compile()
        if let key { try await cache.store(key, from: environment.root) }
    }

    /// Everything that decides what the environment will contain; nil when it must not be reused.
    private func key(_ dependencies: PythonProject.Dependencies?, _ environment: PythonEnvironment) -> String? {
        var key = "layout 1\n\(environment.interpreter.version) \(environment.interpreter.path)\n"
        for (name, value) in environment.context.environment.sorted(by: { $0.key < $1.key })
        where name.hasPrefix("PIP_") {
            // Index addresses hold passwords, which do not belong into a file.
            key += "\(name) \(value.utf8.reduce(5381 as UInt64) { ($0 &* 33) ^ UInt64($1) })\n"
        }
        guard let dependencies else { return key }
        return dependencies.key.map { key + "\(dependencies.origin)\n\($0)" }
    }

    private func writeProfile(_ context: BuildContext) throws {
        try context.source.write(
            """
            export PATH="$HOME/\(PythonEnvironment.path)/bin:$PATH"
            export PYTHONPATH="${PYTHONPATH:-$HOME}"
            export PYTHONUNBUFFERED="${PYTHONUNBUFFERED:-1}"
            export PYTHONDONTWRITEBYTECODE="${PYTHONDONTWRITEBYTECODE:-1}"
            export LANG="${LANG:-C.UTF-8}"

            """, to: ".profile.d/python.sh")
    }

    private func checkSyntax(_ environment: PythonEnvironment) async throws {
        let context = environment.context
        if context.configVariables["SLIPWAY_SKIP_SYNTAX_CHECK"] == "1" { return }
        await context.output.step("Checking the syntax of the sources")
        let skipped = #"(^|/)(\.slipway|\.git|\.tox|\.venv|venv|env|vendor|node_modules|site-packages)/"#
        let deterministic =
            environment.interpreter.version >= SoftwareVersion(3, 7, 0)
            ? ["--invalidation-mode", "unchecked-hash"] : []
        do throws(BuildError) {
            try await context.run(
                environment.python.string, ["-m", "compileall", "-q"] + deterministic + ["-x", skipped, "."])
        } catch {
            throw error.explained(Self.syntaxMessage(error.tail))
        }
    }

    /// `app.py, line 3: SyntaxError: invalid syntax`, found in what `compileall` printed.
    static func syntaxMessage(_ lines: [String]) -> String {
        var message = "A source file does not compile"
        if let place = lines.lazy.map(\.trimmed).first(where: { $0.hasPrefix("File \"") }) {
            let parts = place.split(separator: "\"")
            let file = parts.count > 1 ? parts[1].drop { $0 == "." || $0 == "/" } : "?"
            let line = place.split(separator: " ").last ?? "?"
            message = "\(file), line \(line)"
        }
        if let what = lines.map(\.trimmed).first(where: { $0.prefix { $0.isLetter }.hasSuffix("Error") }) {
            message += ": \(what)"
        }
        return message
    }

    private func collectStatic(_ environment: PythonEnvironment) async throws {
        let context = environment.context
        if let disabled = context.configVariables["DISABLE_COLLECTSTATIC"], disabled != "0", !disabled.isEmpty {
            await context.output.detail("DISABLE_COLLECTSTATIC is set: collectstatic is not run")
            return
        }
        // An application without django.contrib.staticfiles has no such command, and needs none.
        let (exit, commands) = try await context.capture(
            environment.python.string, ["manage.py", "help", "--commands"], timeLimit: .seconds(120))
        if exit.isSuccess, !commands.contains(where: { $0.trimmed == "collectstatic" }) { return }
        await context.output.step("$ python manage.py collectstatic --noinput")
        do throws(BuildError) {
            try await context.run(environment.python.string, ["manage.py", "collectstatic", "--noinput"])
        } catch {
            throw error.explained(
                "collectstatic failed. Correct the settings, or set the config variable DISABLE_COLLECTSTATIC=1.")
        }
    }
}
