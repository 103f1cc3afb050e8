#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The patterns of a `.slugignore`: what of the source never gets into a build.
///
/// Patterns are separated by white space; `#` starts a comment. A pattern with a slash is anchored at the root, any
/// other matches at every depth; a directory goes with all that is in it. `*` does not match a leading dot, and there
/// is no negation. (These are Heroku's rules, not git's.)
public struct SlugIgnore: Hashable, Sendable {
    private struct Pattern: Hashable {
        var text: String
        var anchored: Bool
    }

    private var patterns: [Pattern] = []

    /// The patterns that are read at most; more are ignored.
    public static let maximumPatterns = 1000

    /// Reads the text of a `.slugignore`. Every text is valid.
    public init(parsing text: String) {
        for line in text.withoutByteOrderMark.lines {
            for word in line.prefix(while: { $0 != "#" }).split(whereSeparator: \.isWhitespace) {
                let anchored = word.contains("/")
                let pattern = word.split(separator: "/").filter { $0 != "." }
                // `..` would leave the tree; it matches nothing, as nothing outside of it is ever looked at.
                guard !pattern.isEmpty, !pattern.contains("..") else { continue }
                self.patterns.append(Pattern(text: pattern.joined(separator: "/"), anchored: anchored))
            }
        }
        self.patterns = Array(self.patterns.prefix(Self.maximumPatterns))
    }

    /// Whether nothing is ignored.
    public var isEmpty: Bool { self.patterns.isEmpty }

    /// Whether the entry at `path`, relative to the root of the source, is ignored.
    ///
    /// Ask from the top down, and do not descend into what is ignored.
    public func matches(_ path: String) -> Bool {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return self.patterns.contains { pattern in
            pattern.anchored
                ? fnmatch(pattern.text, path, FNM_PATHNAME | FNM_PERIOD) == 0
                : fnmatch(pattern.text, name, FNM_PERIOD) == 0
        }
    }
}
