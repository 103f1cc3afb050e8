/// The program that installs an application's packages, told by its lock file.
enum NodePackageManager: String, Sendable {
    case npm, yarn, pnpm

    /// The manager, and whether there is a lock file to follow.
    static func of(_ source: SourceTree, _ package: NodePackage) -> (manager: NodePackageManager, isLocked: Bool) {
        if source.hasFile("pnpm-lock.yaml") { return (.pnpm, true) }
        if source.hasFile("yarn.lock") { return (.yarn, true) }
        if source.hasFile("package-lock.json") || source.hasFile("npm-shrinkwrap.json") { return (.npm, true) }
        let asked = package.packageManager?.prefix { $0 != "@" }.lowercased() ?? ""
        return (NodePackageManager(rawValue: asked) ?? .npm, false)
    }

    /// Newer Yarns (berry) have options of their own and read `.yarnrc.yml`.
    func install(isLocked: Bool, isBerry: Bool) -> [String] {
        switch self {
        case .npm: [isLocked ? "ci" : "install", "--no-audit", "--no-fund", "--include=dev"]
        case .yarn where isBerry: ["install"] + (isLocked ? ["--immutable"] : [])
        case .yarn: ["install", "--production=false", "--non-interactive"] + (isLocked ? ["--frozen-lockfile"] : [])
        case .pnpm: ["install", "--prod=false"] + (isLocked ? ["--frozen-lockfile"] : [])
        }
    }

    /// Removes what only the build needed; nil when that takes a plug-in.
    func prune(isBerry: Bool) -> [String]? {
        switch self {
        case .npm: ["prune", "--omit=dev", "--no-audit", "--no-fund"]
        case .yarn where isBerry: nil
        case .yarn: ["install", "--production=true", "--ignore-scripts", "--prefer-offline", "--non-interactive"]
        case .pnpm: ["prune", "--prod"]
        }
    }
}
