// A buildpack of one's own, beside the built-in ones.
//
//     swift run custom-buildpack DIRECTORY
//
// builds a copy of DIRECTORY and says how to run the result. Try it on a directory of Markdown files.
import BuildpackKit
import Foundation
import Logging
import SystemPackage

/// Turns a directory of Markdown files into a site: `README.md` -> `public/README.html`.
struct MarkdownBuildpack: Buildpack {
    let name = "markdown"
    let displayName = "Markdown"
    let looksFor = "README.md"

    func detect(_ source: SourceTree) -> Detection? {
        source.hasFile("README.md") ? Detection() : nil
    }

    func build(_ context: BuildContext) async throws -> [ProcessType] {
        await context.output.step("Rendering Markdown")
        for file in context.source.names() where file.hasSuffix(".md") {
            let page = "\(file.dropLast(3)).html"
            let body = try context.source.text(of: file) ?? ""
            try context.source.write(render(body), to: "public/\(page)")
            await context.output.detail("\(file) -> public/\(page)")
        }
        // Commands run in the build's sandbox: their output is in the log, and they stop when the build is cancelled.
        try await context.run("ls", ["-l", "public"])
        return [ProcessType(name: "web", command: "python3 -m http.server --directory public $PORT")]
    }

    /// Headings and paragraphs; enough for an example.
    private func render(_ markdown: String) -> String {
        let escaped = markdown.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
        let blocks = escaped.components(separatedBy: "\n\n").map { block in
            block.hasPrefix("# ") ? "<h1>\(block.dropFirst(2))</h1>" : "<p>\(block)</p>"
        }
        return "<!doctype html><meta charset=utf-8>\n" + blocks.joined(separator: "\n")
    }
}

/// Prints the build's log.
struct Console: BuildLog {
    func write(_ line: String) async { print(line) }
}

@main
struct CustomBuildpack {
    static func main() async throws {
        guard CommandLine.arguments.count == 2 else {
            print("usage: custom-buildpack DIRECTORY")
            exit(64)
        }
        let source = URL(fileURLWithPath: CommandLine.arguments[1])
        let work = FileManager.default.temporaryDirectory.appendingPathComponent("build-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: work, withIntermediateDirectories: true)
        // The builder builds in place, so it gets a copy.
        let tree = work.appendingPathComponent("tree")
        try FileManager.default.copyItem(at: source, to: tree)

        let logger = Logger(label: "custom-buildpack")
        let builder = Builder(
            buildpacks: [MarkdownBuildpack()] + Builder.builtInBuildpacks,
            sandbox: HostBuildSandbox(logger: logger),
            logger: logger)
        let request = BuildRequest(
            application: source.lastPathComponent,
            source: FilePath(tree.path),
            cache: FilePath(work.appendingPathComponent("cache").path))
        do {
            let built = try await builder.build(request, log: Console())
            print("Built \(built.tree). It runs in that directory, with HOME set to it:")
            for type in built.processTypes { print("  \(type.name): \(type.command)") }
        } catch {
            print(error)
            exit(1)
        }
    }
}
