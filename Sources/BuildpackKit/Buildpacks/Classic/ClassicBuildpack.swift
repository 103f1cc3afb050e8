public import SystemPackage

/// A buildpack that is a directory of scripts: `bin/detect`, `bin/compile` and optionally `bin/release`, as Heroku,
/// Scalingo and Dokku have them.
///
/// - The scripts run in a private copy of the directory, because packs write their `export` file into it and find their
///   own files relative to it.
/// - `bin/compile` gets the tree, a cache that all classic buildpacks of an application share, and a directory with one
///   file per config variable. Config variables are *not* in its environment, except as earlier buildpacks export them.
/// - `HOME` is the tree, so that what `export` and `.profile.d` say about `$HOME` holds both now and at run time.
/// - The cache is kept only if the whole build succeeds.
public struct ClassicBuildpack: Buildpack {
    /// Where the scripts are.
    public let directory: FilePath
    public let name: String
    public var displayName: String { self.name }
    public var looksFor: String { "what bin/detect of \(self.name) looks for" }

    /// How long `bin/detect` may take.
    private static let detectLimit = Duration.seconds(60)

    /// Creates a buildpack from a directory.
    ///
    /// - Parameters:
    ///   - directory: It must contain `bin/detect` and `bin/compile`; that is found out when it is used.
    ///   - name: The name to ask for it by; the directory's own by default.
    public init(directory: FilePath, name: String? = nil) {
        self.directory = directory
        self.name = name ?? directory.lastComponent?.string ?? "classic"
    }

    public func detect(_ source: SourceTree) async throws -> Detection? {
        guard let commands = source.commands else {
            throw BuildError(.detectFailed, "bin/detect of \(self.name) can run in a build only.")
        }
        let copy = try await self.privateCopy(in: commands.scratch)
        let errors = commands.scratch.appending("detect-errors")
        let (exit, lines) = try await commands.capture(
            BuildCommand(
                executable: "bash",
                // The explanation of a "no" is printed to stderr; it is shown when the pack was asked for.
                arguments: ["-c", "exec bin/detect \"$1\" 2>\"$2\"", "detect", source.root.string, errors.string],
                environment: self.environment(commands, tree: source.root),
                workingDirectory: copy,
                timeLimit: Self.detectLimit))
        guard exit.isSuccess else {
            let explanation = (try? FileTree.read(errors, limit: 64 * 1024)) ?? nil
            for line in String(decoding: explanation ?? [], as: UTF8.self).lines.prefix(50) where !line.isEmpty {
                await commands.output.detail(String(line))
            }
            return nil
        }
        let name = lines.first.map { String($0.trimmed) } ?? ""
        return Detection(displayName: name.isEmpty ? nil : name)
    }

    public func build(_ context: BuildContext) async throws -> [ProcessType] {
        let commands = context.commands
        let copy = try await self.privateCopy(in: commands.scratch)
        let cache = try await context.sharedCache.directory()
        let configuration = try self.writeConfiguration(context)
        var environment = self.environment(commands, tree: context.tree)
        environment["SOURCE_VERSION"] = context.sourceVersion
        let output = context.output
        try await commands.run(
            BuildCommand(
                executable: copy.appending("bin/compile").string,
                arguments: [context.tree.string, cache.string, configuration.string],
                environment: environment,
                workingDirectory: copy)
        ) { await output.line($0) }
        try await self.sourceExports(of: copy, commands: commands, environment: environment)
        return try await self.release(copy, context, environment)
    }

    private func environment(_ commands: CommandRunner, tree: FilePath) -> [String: String] {
        var environment = commands.variables.current
        environment["HOME"] = tree.string
        environment["STACK"] = commands.stack
        environment["REQUEST_ID"] = commands.scratch.lastComponent?.string
        return environment
    }

    /// A copy that the scripts may write to, with everything in `bin` executable.
    private func privateCopy(in scratch: FilePath) async throws -> FilePath {
        let copy = scratch.appending("buildpack-\(self.name)")
        try await FileTree.remove(copy)
        guard try FileStatus.of(self.directory) != nil else {
            throw BuildError(.unknownBuildpack, "There is no directory \(self.directory) for buildpack \(self.name).")
        }
        for script in ["detect", "compile"] {
            guard try FileStatus.of(self.directory.appending("bin").appending(script)) != nil else {
                throw BuildError(
                    .unknownBuildpack, "\(self.directory) is no classic buildpack: it has no bin/\(script).")
            }
        }
        try await FileTree.copy(FileTree.resolved(self.directory) ?? self.directory, to: copy)
        try await FileTree.remove(copy.appending(".git"))
        try FileTree.makeExecutable(in: copy.appending("bin"))
        return copy
    }

    /// One file per config variable, with the value and nothing else in it.
    private func writeConfiguration(_ context: BuildContext) throws -> FilePath {
        let directory = context.commands.scratch.appending("env")
        try FileTree.createDirectory(directory)
        for (name, value) in context.configVariables
        where BuildContext.isVariableName(name) && name != "." && name != ".." {
            try FileTree.write(value, to: directory.appending(name), mode: [.ownerReadWrite])
        }
        return directory
    }

    /// Lets the pack's `export` file change the environment of the buildpacks after it.
    ///
    /// It is shell text of any kind, so bash sources it and says what came out.
    private func sourceExports(
        of copy: FilePath, commands: CommandRunner, environment: [String: String]
    ) async throws {
        let export = copy.appending("export")
        guard try FileStatus.of(export)?.kind == .regular else { return }
        let result = commands.scratch.appending("exported")
        try await commands.run(
            BuildCommand(
                executable: "bash",
                arguments: ["-c", ". \"$1\" && env -0 >\"$2\"", "export", export.string, result.string],
                environment: environment,
                workingDirectory: copy)
        ) { _ in }
        var variables: [String: String] = [:]
        for entry in (try FileTree.read(result, limit: 1024 * 1024) ?? []).split(separator: 0) {
            let text = String(decoding: entry, as: UTF8.self)
            guard let equals = text.firstIndex(of: "=") else { continue }
            let name = String(text[..<equals])
            guard BuildContext.isVariableName(name), !Self.ownVariables.contains(name) else { continue }
            variables[name] = String(text[text.index(after: equals)...])
        }
        commands.variables.merge(variables)
    }

    /// Variables of the shell and of this builder, which `export` does not hand on.
    private static let ownVariables: Set<String> = [
        "HOME", "STACK", "REQUEST_ID", "PWD", "OLDPWD", "SHLVL", "_", ProcessTree.markName,
    ]

    private func release(
        _ copy: FilePath, _ context: BuildContext, _ environment: [String: String]
    ) async throws -> [ProcessType] {
        let script = copy.appending("bin/release")
        guard try FileStatus.of(script) != nil else { return [] }
        let command = BuildCommand(
            executable: script.string, arguments: [context.tree.string], environment: environment,
            workingDirectory: copy, timeLimit: Self.detectLimit)
        let (exit, lines) = try await context.commands.capture(command)
        guard exit.isSuccess else {
            throw BuildError(
                .commandFailed, "bin/release failed.", command: command.description, exit: exit, tail: lines.suffix(20))
        }
        return try ReleaseDeclaration(parsing: lines.joined(separator: "\n")).processTypes
    }
}
