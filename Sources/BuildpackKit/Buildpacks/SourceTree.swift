public import SystemPackage

/// The files of an application, as buildpacks see them.
///
/// The files come from strangers: paths are relative to ``root``, and no symbolic link leads out of it.
public struct SourceTree: Sendable {
    /// The directory.
    public let root: FilePath
    let commands: CommandRunner?

    /// The longest file that ``text(of:)`` reads, in bytes.
    public static let maximumTextSize = 1024 * 1024

    /// A view on a directory.
    public init(root: FilePath) {
        self.init(root: root, commands: nil)
    }

    init(root: FilePath, commands: CommandRunner?) {
        self.root = root
        self.commands = commands
    }

    /// Whether there is a regular file at `path`.
    public func hasFile(_ path: String) -> Bool {
        guard let real = self.resolved(path), let status = try? FileStatus.of(real) else { return false }
        return status.kind == .regular
    }

    /// Whether there is a directory at `path`.
    public func hasDirectory(_ path: String) -> Bool {
        guard let real = self.resolved(path), let status = try? FileStatus.of(real) else { return false }
        return status.kind == .directory
    }

    /// The names in the directory at `path`, sorted; empty when there is none.
    public func names(in path: String = "") -> [String] {
        guard let real = self.resolved(path) else { return [] }
        return (try? DirectoryWalk.names(in: real)) ?? []
    }

    /// The text of the file at `path`, invalid UTF-8 repaired; nil when there is no file.
    ///
    /// - Throws: ``BuildError/Code/invalidSource`` when it is no regular file, or too long.
    public func text(of path: String) throws(BuildError) -> String? {
        guard let real = self.resolved(path) else {
            if (try? FileStatus.of(self.root.appending(path))) ?? nil != nil {
                throw BuildError(.invalidSource, "`\(path)` is a symbolic link that leads nowhere in the application.")
            }
            return nil
        }
        do {
            return try FileTree.read(real, limit: Self.maximumTextSize).map { String(decoding: $0, as: UTF8.self) }
        } catch {
            throw BuildError(.invalidSource, "Cannot read `\(path)`: \(error.errno).", cause: error)
        }
    }

    /// Writes a text to `path`, creating its directory and replacing what is there.
    ///
    /// - Throws: ``BuildError/Code/fileSystem``, also when a directory on the way is a symbolic link.
    public func write(_ text: String, to path: String, executable: Bool = false) throws(BuildError) {
        do {
            let target = try self.prepareParent(of: path)
            let mode: FilePermissions = [.ownerReadWrite, .groupRead, .otherRead]
            try FileTree.write(
                text, to: target, mode: executable ? mode.union([.ownerExecute, .groupExecute, .otherExecute]) : mode)
        } catch {
            throw BuildError.wrapping(error, doing: "Cannot write `\(path)`")
        }
    }

    /// Makes the directory at `path`, without anything that was there before.
    func makeEmptyDirectory(_ path: String) async throws {
        let target = try self.prepareParent(of: path)
        try await FileTree.remove(target)
        try FileTree.createDirectory(target)
    }

    /// Makes the directories above `path`; none of them may be a link, which could lead anywhere.
    private func prepareParent(of path: String) throws -> FilePath {
        let parts = FilePath(root: nil, FilePath(path).components).lexicallyNormalized()
        guard let name = parts.lastComponent, !parts.components.contains(where: { $0.kind != .regular }) else {
            throw BuildError(.fileSystem, "`\(path)` is no path inside the application.")
        }
        var directory = self.root
        for component in parts.removingLastComponent().components {
            directory.append(component)
            if let status = try FileStatus.of(directory), status.kind != .directory {
                throw BuildError(
                    .fileSystem, "`\(component)` of `\(path)` is no directory, and the builder needs one there.")
            }
            try FileTree.createDirectory(directory)
        }
        return directory.appending(name)
    }

    /// The path of a file that exists, links resolved; nil when there is none or it is outside of the root.
    func resolved(_ path: String) -> FilePath? {
        guard let root = FileTree.resolved(self.root), let real = FileTree.resolved(self.root.appending(path)),
            real.starts(with: root)
        else { return nil }
        return real
    }
}
