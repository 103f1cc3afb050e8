/// Runs what is there: a source with a `Procfile` that nothing else applies to.
public struct ProcfileBuildpack: Buildpack {
    public let name = "procfile"
    public let displayName = "Procfile"
    public let looksFor = "Procfile"

    /// Creates the buildpack.
    public init() {}

    public func detect(_ source: SourceTree) -> Detection? {
        source.hasFile("Procfile") ? Detection() : nil
    }

    public func build(_ context: BuildContext) async -> [ProcessType] {
        await context.output.detail("Nothing to build: the Procfile runs the source as it is")
        return []
    }
}
