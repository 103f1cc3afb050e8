public import SystemPackage

/// One build that is asked for.
public struct BuildRequest: Sendable {
    /// The application's name, for messages.
    public var application: String
    /// A private, writable directory with the source. It *becomes* the built tree, in place.
    public var source: FilePath
    /// A directory that persists between the builds of this application. It is created when it is missing.
    public var cache: FilePath
    /// The application's config variables.
    public var environment: [String: String]
    /// The buildpacks to use, in order: names of the builder's own, or paths of directories with classic buildpacks.
    ///
    /// All of them must apply. When `nil`, `app.json` and then `.buildpacks` are asked, and else the first of the
    /// builder's buildpacks that applies is used.
    public var buildpacks: [String]?
    /// The commit that is built. Buildpacks see it as `SOURCE_VERSION`.
    public var sourceVersion: String?

    /// Creates a request.
    public init(
        application: String,
        source: FilePath,
        cache: FilePath,
        environment: [String: String] = [:],
        buildpacks: [String]? = nil,
        sourceVersion: String? = nil
    ) {
        self.application = application
        self.source = source
        self.cache = cache
        self.environment = environment
        self.buildpacks = buildpacks
        self.sourceVersion = sourceVersion
    }
}
