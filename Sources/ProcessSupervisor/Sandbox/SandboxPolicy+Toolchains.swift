public import SystemPackage

extension SandboxPolicy {
    /// Shows the toolchains that a search path leads to, read-only: what is installed outside the system, as pyenv, nvm and
    /// archives under `/srv` are. Applications are built with them, and need them to run.
    ///
    /// Of a directory `…/bin`, `…/sbin` or `…/shims`, the directory around it is shown, for programs want what is beside them
    /// (`lib`, `versions`); of another, that alone. So it is, too, where the directory around it is at the top of the file
    /// system, is a home or around one, is around what must not be shown, or is `.local`, `.cargo` or `.config` of a home, where
    /// keys and tokens are. Symbolic links are followed: a toolchain is shown under both paths.
    ///
    /// - Parameters:
    ///   - searchPath: As in `PATH`, such as that which builds have. Entries that are not absolute or not there count for nothing.
    ///   - homes: Directories that are never shown themselves; `/root` is not in any case.
    ///   - kept: Directories of which nothing is shown: the platform's data.
    public mutating func showToolchains(of searchPath: String, homes: [FilePath], except kept: [FilePath]) {
        self.showToolchains(of: searchPath, homes: homes, except: kept, host: .real)
    }

    mutating func showToolchains(of searchPath: String, homes: [FilePath], except kept: [FilePath], host: HostFiles) {
        let homes = Set((homes + ["/root"]).flatMap { [$0, host.resolve($0)] })
        let kept = Set(kept.flatMap { [$0, host.resolve($0)] })
        for entry in searchPath.split(separator: ":").map({ FilePath(String($0)) })
        where entry.isAbsolute && entry.isLexicallyNormal {
            let resolved = host.resolve(entry)
            guard host.inspect(resolved) == .directory, !kept.contains(where: { resolved.starts(with: $0) }) else {
                continue
            }
            for path in resolved == entry ? [entry] : [entry, resolved] {
                let isShown = (self.systemPaths + self.binds.map(\.target)).contains { path.starts(with: $0) }
                if isShown || SandboxPlan.hasOwn(path) { continue }
                let around =
                    Self.programDirectories.contains(path.lastComponent?.string ?? "")
                    ? path.removingLastComponent() : path
                let choice = [around, path].first { candidate in
                    // What it is called here, and what it is.
                    [candidate, host.resolve(candidate)].allSatisfy {
                        Self.mayShow($0, alone: candidate == path, homes: homes, kept: kept)
                    }
                }
                if let choice { self.binds.append(Bind(choice)) }
            }
        }
    }

    private static let programDirectories: Set<String> = ["bin", "sbin", "shims"]

    private static func mayShow(
        _ root: FilePath, alone: Bool, homes: Set<FilePath>, kept: Set<FilePath>
    ) -> Bool {
        // A directory around a home or the data would show that with it.
        if homes.union(kept).contains(where: { $0.starts(with: root) }) { return false }
        if alone { return true }
        let holdsKeys = [".local", ".cargo", ".config"].contains { name in
            homes.contains { $0.appending(name) == root }
        }
        return root.components.count > 1 && !holdsKeys
    }
}
