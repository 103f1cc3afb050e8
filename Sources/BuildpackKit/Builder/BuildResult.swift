public import SystemPackage

/// A built application.
public struct BuildResult: Sendable {
    /// The names of the buildpacks that built it, in order.
    public var buildpacks: [String]
    /// What can be run: the `Procfile`'s types in its order (`release` too, if declared), then the buildpack's
    /// defaults that the `Procfile` does not name.
    public var processTypes: [ProcessType]
    /// The application's `app.json`; empty when it has none.
    public var appManifest: AppManifest
    /// The built tree: the request's `source`.
    public var tree: FilePath

    /// Creates a result.
    public init(buildpacks: [String], processTypes: [ProcessType], appManifest: AppManifest, tree: FilePath) {
        self.buildpacks = buildpacks
        self.processTypes = processTypes
        self.appManifest = appManifest
        self.tree = tree
    }
}
