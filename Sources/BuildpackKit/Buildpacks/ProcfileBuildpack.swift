/// Runs what is there: a source with a `Procfile` that nothing else applies to.
public struct ProcfileBuildpack: Buildpack {
    /// The name that it is asked for by.
    public let name = "procfile"
    /// The name that people read.
    public let displayName = "Procfile"
    /// What it looks for in a source.
    public let looksFor = "Procfile"

    /// Creates the buildpack.
    public init() {}

    /// Whether it applies; see ``Buildpack``.
    public func detect(_ source: SourceTree) -> Detection? {
        source.hasFile("Procfile") ? Detection() : nil
    }

    /// Builds the application in place; see ``Buildpack``.
    public func build(_ context: BuildContext) async -> [ProcessType] {
        await context.output.detail("Nothing to build: the Procfile runs the source as it is")
        return []
    }
}
