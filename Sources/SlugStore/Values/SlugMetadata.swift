/// What a slug says about itself besides its files. It is part of the canonical manifest: the same files with other
/// metadata are another slug (that shares every stored byte of the files).
public struct SlugMetadata: Codable, Sendable, Hashable {
    /// The command of each process type, for example `["web": "gunicorn app:app"]`.
    public var processTypes: [String: String]
    /// The names of the buildpacks that made the tree, in the order in which they ran.
    public var buildpacks: [String]
    /// Anything else worth keeping, for example the commit.
    public var labels: [String: String]

    /// Makes metadata.
    public init(processTypes: [String: String] = [:], buildpacks: [String] = [], labels: [String: String] = [:]) {
        self.processTypes = processTypes
        self.buildpacks = buildpacks
        self.labels = labels
    }
}
