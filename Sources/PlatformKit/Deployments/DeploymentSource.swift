internal import SlugStore
public import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Where the source of a deployment comes from.
public struct DeploymentSource: Sendable {
    /// What it is, in words: `push of 1a2b3c4d to main`.
    public var description: String
    /// The commit, if there is one.
    public var commit: String?
    /// Writes the source into an empty directory; says what is worth telling on the way.
    public var populate: @Sendable (FilePath, _ progress: @Sendable (String) async throws -> Void) async throws -> Void

    /// Makes one from any way of writing a source tree.
    public init(
        description: String, commit: String?,
        populate: @escaping @Sendable (FilePath, @Sendable (String) async throws -> Void) async throws -> Void
    ) {
        self.description = description
        self.commit = commit
        self.populate = populate
    }

    /// A directory, whose contents are copied.
    public static func directory(_ path: FilePath, description: String, commit: String? = nil) -> Self {
        Self(description: description, commit: commit) { target, _ in
            for name in try FileManager.default.contentsOfDirectory(atPath: path.string) where name != ".git" {
                try FileManager.default.copyItem(
                    atPath: path.appending(name).string, toPath: target.appending(name).string)
            }
        }
    }

    /// A `.tar`, `.tar.gz`, `.tar.zst` or `.zip` file. Nothing in it is trusted.
    public static func archive(_ path: FilePath, description: String) -> Self {
        Self(description: description, commit: nil) { target, _ in
            do {
                _ = try await ArchiveExtractor(limits: .init()).extract(archiveAt: path, into: target)
            } catch {
                throw PlatformError(.invalid, "the archive is refused: \(error)", cause: error)
            }
        }
    }
}
