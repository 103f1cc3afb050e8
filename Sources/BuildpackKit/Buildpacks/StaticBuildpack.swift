/// Serves a directory of files.
///
/// The built application needs a server at run time, which is the platform's: `web` becomes
/// `exec "$SLIPWAY_EXECUTABLE" static-server --port "$PORT" DIRECTORY`. The platform sets `SLIPWAY_EXECUTABLE` to the
/// path of a program that has this subcommand. An application that declares `web` in its `Procfile` brings its own.
public struct StaticBuildpack: Buildpack {
    public let name = "static"
    public let displayName = "Static site"
    public let looksFor = "index.html, public/index.html, dist/index.html or static.json"

    /// Creates the buildpack.
    public init() {}

    public func detect(_ source: SourceTree) throws(BuildError) -> Detection? {
        if source.hasFile("static.json") { return Detection() }
        return Self.directories.contains { source.hasFile(Self.index(in: $0)) } ? Detection() : nil
    }

    public func build(_ context: BuildContext) async throws -> [ProcessType] {
        let directory = try self.root(context.source)
        await context.output.step("Serving \(directory == "." ? "the top level" : directory)")
        if !context.source.hasFile(Self.index(in: directory)) {
            await context.output.warning("\(directory) has no index.html")
        }
        let command = "exec \"$SLIPWAY_EXECUTABLE\" static-server --port \"$PORT\" \(directory.shellQuoted)"
        return [ProcessType(name: "web", command: command)]
    }

    // A build's result comes before the sources that it was made from.
    private static let directories = ["dist", "public", "."]

    private static func index(in directory: String) -> String {
        directory == "." ? "index.html" : "\(directory)/index.html"
    }

    private func root(_ source: SourceTree) throws -> String {
        if let text = try source.text(of: "static.json") {
            do {
                if let root = try JSONParser.parse(text)["root"]?.string {
                    let normal = root.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
                    let directory = normal.isEmpty ? "." : normal
                    guard source.hasDirectory(directory), !directory.hasPrefix("-") else {
                        throw BuildError(
                            .invalidSource, "static.json: root `\(root)` is no directory of the application.")
                    }
                    return directory
                }
            } catch let error as JSONSyntaxError {
                throw BuildError(.invalidSource, "static.json, \(error).")
            }
        }
        return Self.directories.first { source.hasFile(Self.index(in: $0)) } ?? "."
    }
}
