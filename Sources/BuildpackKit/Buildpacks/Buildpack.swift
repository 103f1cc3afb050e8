/// Knows how to build one kind of application.
///
/// A buildpack of your own is a type that conforms; pass it to ``Builder``. See ``ClassicBuildpack`` for one that is a
/// directory of scripts.
///
/// ## Promises a conformer keeps
/// - `detect` changes nothing, and is quick.
/// - `build` works inside `context.tree` and `context.cache` only, and what it leaves in the tree is *relocatable*: it
///   never holds the tree's path, because the application runs from another one. It extends the run-time environment
///   by scripts in `.profile.d/` that speak of `$HOME`.
/// - Both end soon after their task was cancelled. ``BuildContext/run(_:_:in:environment:)`` takes care of that.
public protocol Buildpack: Sendable {
    /// The name that it is asked for by, such as `python`.
    var name: String { get }
    /// The name that people read, such as `Python`.
    var displayName: String { get }
    /// What it looks for, for the message that nothing was detected: `requirements.txt or pyproject.toml`.
    var looksFor: String { get }

    /// Whether it applies to the source.
    ///
    /// - Returns: `nil` when it does not.
    /// - Throws: When that cannot be told; the build then fails.
    func detect(_ source: SourceTree) async throws -> Detection?

    /// Turns the source into a built application, in place.
    ///
    /// - Returns: The process types that the application has if its `Procfile` does not say otherwise.
    func build(_ context: BuildContext) async throws -> [ProcessType]
}

extension Buildpack {
    /// The name that people read.
    public var displayName: String { self.name }
    /// What it looks for in a source.
    public var looksFor: String { "" }
}

/// A buildpack applies.
public struct Detection: Hashable, Sendable {
    /// What the log calls the application, when not by the buildpack's own name.
    public var displayName: String?

    /// Creates a detection.
    public init(displayName: String? = nil) {
        self.displayName = displayName
    }
}
