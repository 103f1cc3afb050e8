import SystemPackage

/// One build from its beginning to its end.
struct BuildRun: Sendable {
    let request: BuildRequest
    let configuration: Builder.Configuration
    let buildpacks: [any Buildpack]
    let sandbox: any BuildSandbox
    let output: BuildOutput
    let scratch: FilePath

    func perform() async throws -> BuildResult {
        try await self.prepare()
        let commands = CommandRunner(
            sandbox: self.sandbox, output: self.output, tailLines: self.configuration.failureTailLines,
            variables: BuildVariables(try self.initialVariables()), scratch: self.scratch,
            sourceVersion: self.request.sourceVersion, stack: self.configuration.stack)
        let source = SourceTree(root: self.request.source, commands: commands)

        // Both files are read first: a mistake in them should not take minutes to come out.
        let manifest = try Self.manifest(source)
        _ = try Self.procfile(source)

        let selection = BuildpackSelection(available: self.buildpacks, source: source)
        let selected = try await selection.select(requested: self.request.buildpacks, manifest: manifest)
        var defaults: [ProcessType] = []
        let shared = StagedCache(directory: self.request.cache, name: "classic")
        for (buildpack, detection) in selected {
            await self.output.step("\(detection.displayName ?? buildpack.displayName) application detected")
            let context = try self.context(for: buildpack, source: source, commands: commands, shared: shared)
            do {
                defaults = try await buildpack.build(context)
            } catch {
                var error = BuildError.wrapping(error, doing: "Buildpack \(buildpack.name) failed")
                error.buildpack = error.buildpack ?? buildpack.name
                throw error
            }
            try Task.checkCancellation()
        }
        try await shared.commit()
        let types = try await self.processTypes(
            source, defaults: defaults, lastBuildpack: selected.last?.buildpack.displayName ?? "")
        return BuildResult(
            buildpacks: selected.map(\.buildpack.name), processTypes: types, appManifest: manifest,
            tree: self.request.source)
    }

    /// Takes out of the source what must not be built.
    private func prepare() async throws {
        guard try FileStatus.of(self.request.source)?.kind == .directory else {
            throw BuildError(.invalidSource, "There is no directory \(self.request.source) to build.")
        }
        try FileTree.createDirectory(self.request.cache)
        try await FileTree.remove(self.request.source.appending(".git"))
        let source = SourceTree(root: self.request.source)
        guard let text = try source.text(of: ".slugignore") else { return }
        let ignored = try await self.remove(SlugIgnore(parsing: text))
        if ignored > 0 { await self.output.detail("Left out by .slugignore: \(ignored)") }
    }

    @concurrent
    private func remove(_ ignore: SlugIgnore) async throws -> Int {
        guard !ignore.isEmpty else { return 0 }
        var ignored: [FilePath] = []
        try DirectoryWalk.walk(self.request.source) { path, relative, _ in
            // The file stays: buildpacks read it to explain what is missing.
            guard relative.string != ".slugignore", ignore.matches(relative.string) else { return .descend }
            ignored.append(path)
            return .skip
        }
        for path in ignored { try await FileTree.remove(path) }
        return ignored.count
    }

    private func initialVariables() throws -> [String: String] {
        let home = self.scratch.appending("home")
        let temporary = self.scratch.appending("tmp")
        try FileTree.createDirectory(home)
        try FileTree.createDirectory(temporary)
        var variables = [
            "PATH": self.configuration.searchPath,
            "HOME": home.string,
            "TMPDIR": temporary.string,
            "LANG": "C.UTF-8",
        ]
        if let version = self.request.sourceVersion { variables["SOURCE_VERSION"] = version }
        variables.merge(self.configuration.buildEnvironment) { _, new in new }
        return variables
    }

    private func context(
        for buildpack: any Buildpack, source: SourceTree, commands: CommandRunner, shared: StagedCache
    ) throws -> BuildContext {
        let cache = self.request.cache.appending(buildpack.name.map { $0 == "/" ? "_" : String($0) }.joined())
        let scratch = self.scratch.appending("work")
        try FileTree.createDirectory(cache)
        try FileTree.createDirectory(scratch)
        return BuildContext(
            application: self.request.application, source: source, cache: cache, scratch: scratch,
            configVariables: self.request.environment, sourceVersion: self.request.sourceVersion,
            output: self.output, configuration: self.configuration, commands: commands, sharedCache: shared)
    }

    private func processTypes(
        _ source: SourceTree, defaults: [ProcessType], lastBuildpack: String
    ) async throws -> [ProcessType] {
        await self.output.step("Discovering process types")
        // Read again, because a buildpack may have written it.
        let declared = try Self.procfile(source)?.processTypes ?? []
        let types = declared.completed(by: defaults)
        let names = { (types: ArraySlice<ProcessType>) in types.map(\.name).joined(separator: ", ") }
        await self.output.detail("Procfile declares types -> \(declared.isEmpty ? "(none)" : names(declared[...]))")
        let added = types.dropFirst(declared.count)
        if !added.isEmpty { await self.output.detail("Default types for \(lastBuildpack) -> \(names(added))") }
        if types.isEmpty {
            await self.output.warning("There is nothing to run: add a Procfile with a line such as `web: COMMAND`")
        }
        return types
    }

    private static func procfile(_ source: SourceTree) throws -> Procfile? {
        try source.text(of: "Procfile").map { text throws(BuildError) in try Procfile(parsing: text) }
    }

    private static func manifest(_ source: SourceTree) throws -> AppManifest {
        try source.text(of: "app.json").map { text throws(BuildError) in try AppManifest(parsing: text) }
            ?? AppManifest()
    }
}
