import SystemPackage

/// Builds Node.js applications with the Node of this machine and packages by npm, Yarn or pnpm.
///
/// Packages are installed only when `package.json` names any, so that an application without dependencies builds
/// without a network, and without a package manager. Then the `heroku-postbuild` script runs, or `build`; then what only
/// the build needed is removed.
public struct NodeBuildpack: Buildpack {
    /// The name that it is asked for by.
    public let name = "nodejs"
    /// The name that people read.
    public let displayName = "Node.js"
    /// What it looks for in a source.
    public let looksFor = "package.json"

    /// Creates the buildpack.
    public init() {}

    /// Whether it applies; see ``Buildpack``.
    public func detect(_ source: SourceTree) -> Detection? {
        source.hasFile("package.json") ? Detection() : nil
    }

    /// Builds the application in place; see ``Buildpack``.
    public func build(_ context: BuildContext) async throws -> [ProcessType] {
        guard let text = try context.source.text(of: "package.json") else {
            throw BuildError(.invalidSource, "There is no package.json.")
        }
        let package = try NodePackage(parsing: text)
        let node = try await self.node(context, package)
        let (manager, isLocked) = NodePackageManager.of(context.source, package)
        let steps = NodeSteps(
            context: context, package: package, manager: manager, isLocked: isLocked,
            isBerry: context.source.hasFile(".yarnrc.yml"))
        try await steps.perform()
        try self.writeProfile(context, node: node)
        context.export(["PATH": "\(context.tree)/node_modules/.bin:\(context.environment["PATH"] ?? "")"])
        return self.processTypes(context, package, manager)
    }

    private func node(_ context: BuildContext, _ package: NodePackage) async throws -> FilePath {
        guard let node = context.find("node") else {
            throw BuildError(
                .runtimeMissing,
                "This machine has no `node` on the search path for builds. Install it (on Debian: nodejs and npm).")
        }
        let (exit, lines) = try await context.capture(node.string, ["--version"])
        guard exit.isSuccess, let version = lines.first.flatMap({ SoftwareVersion($0.trimmed) }) else {
            throw BuildError(.runtimeMissing, "\(node) does not run: `node --version` ended with \(exit).")
        }
        guard let text = package.nodeRange else {
            await context.output.step("Using Node.js \(version)")
            return node
        }
        guard let range = NodeVersionRange(text) else {
            throw BuildError(
                .invalidSource, "package.json: `\(text.abbreviated)` of engines.node is no range of versions.")
        }
        guard range.admits(version) else {
            throw BuildError(
                .runtimeMissing,
                "package.json asks for Node.js \(text) (engines.node), and this machine has \(version) (\(node)). "
                    + "Widen the range, or have another Node.js installed on the search path for builds.")
        }
        await context.output.step("Using Node.js \(version), as package.json asks for \(text)")
        return node
    }

    private func writeProfile(_ context: BuildContext, node: FilePath) throws {
        // The runtime's own search path may lack the directory that this Node was found in.
        let directory = node.removingLastComponent().string.shellQuoted
        try context.source.write(
            """
            export PATH="$HOME/node_modules/.bin:$PATH":\(directory)
            export NODE_ENV="${NODE_ENV:-production}"

            """, to: ".profile.d/nodejs.sh")
    }

    private func processTypes(
        _ context: BuildContext, _ package: NodePackage, _ manager: NodePackageManager
    ) -> [ProcessType] {
        if let start = package.scripts["start"] {
            // Without its package manager, the script's text does the same: node_modules/.bin is on the path.
            let command = context.find(manager.rawValue) == nil ? start : "\(manager.rawValue) start"
            return [ProcessType(name: "web", command: command)]
        }
        if context.source.hasFile("server.js") { return [ProcessType(name: "web", command: "node server.js")] }
        return []
    }
}
