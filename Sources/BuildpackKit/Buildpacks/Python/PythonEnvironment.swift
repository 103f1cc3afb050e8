import SystemPackage

/// The virtual environment in `.slipway/python` of the built tree, made so that it works wherever the tree is.
///
/// A virtual environment isolates the application from the machine's own packages and brings `python` by that name,
/// but what `venv` and pip write into it speaks of the directory in which they did it. ``relocate()`` takes that out.
struct PythonEnvironment: Sendable {
    static let path = ".slipway/python"

    let context: BuildContext
    let interpreter: PythonInterpreter

    var root: FilePath { self.context.tree.appending(Self.path) }
    var python: FilePath { self.root.appending("bin/python") }
    var packages: FilePath {
        let version = self.interpreter.version
        return self.root.appending("lib/python\(version.major).\(version.minor)/site-packages")
    }

    /// Whether a package of this import name is installed.
    func has(package: String) -> Bool { ((try? FileStatus.of(self.packages.appending(package))) ?? nil) != nil }

    /// Whether a command of this name is installed.
    func has(command: String) -> Bool { FileTree.isExecutable(self.root.appending("bin").appending(command)) }

    /// Makes the environment, without pip in it.
    func create() async throws(BuildError) {
        let command = ["-m", "venv", "--without-pip", "--symlinks", self.root.string]
        do throws(BuildError) {
            try await self.context.run(self.interpreter.path.string, command)
        } catch {
            guard error.code == .commandFailed else { throw error }
            throw BuildError(
                .runtimeMissing,
                "\(self.interpreter.path) cannot make a virtual environment. On Debian, install python3-venv.",
                command: error.command, exit: error.exit, tail: error.tail)
        }
    }

    /// Installs packages.
    func install(_ arguments: [String]) async throws(BuildError) {
        let environment = [
            "PIP_CACHE_DIR": self.context.cache.appending("pip").string,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "PIP_PROGRESS_BAR": "off",
            "PIP_ROOT_USER_ACTION": "ignore",
            // The environment is the application's own; a distribution's ban on installing does not concern it.
            "PIP_BREAK_SYSTEM_PACKAGES": "1",
            "PYTHONNOUSERSITE": "1",
        ]
        let pip = try await self.pip(environment)
        let options = ["install", "--no-compile", "--no-warn-script-location"]
        try await self.context.run(pip[0], pip.dropFirst() + options + arguments, environment: environment)
    }

    /// The command that runs pip on this environment: the interpreter's own pip if it is new enough to work on another
    /// environment, else one that `ensurepip` brings.
    private func pip(_ environment: [String: String]) async throws(BuildError) -> [String] {
        let base = self.interpreter.path.string
        let (exit, lines) = try await self.context.capture(
            base, ["-m", "pip", "--version"], environment: environment, timeLimit: .seconds(60))
        if exit.isSuccess,
            let version = lines.first?.split(separator: " ").dropFirst().first.flatMap({ SoftwareVersion($0) }),
            version >= SoftwareVersion(22, 3, 0)
        {
            return [base, "-m", "pip", "--python", self.python.string]
        }
        do throws(BuildError) {
            try await self.context.run(
                self.python.string, ["-m", "ensurepip", "--default-pip"], environment: environment)
        } catch {
            guard error.code == .commandFailed else { throw error }
            throw BuildError(
                .runtimeMissing,
                "\(base) has no pip (22.3 or newer) and cannot bring one. On Debian, install python3-pip or python3-venv.",
                command: error.command, exit: error.exit, tail: error.tail)
        }
        return [self.python.string, "-m", "pip"]
    }

    /// Takes the build directory and the time out of everything that was installed.
    @concurrent
    func relocate() async throws {
        let bin = self.root.appending("bin")
        for name in try DirectoryWalk.names(in: bin) {
            let path = bin.appending(name)
            guard let status = try FileStatus.of(path), status.kind == .regular else { continue }
            if name.string.lowercased().hasPrefix("activate") {
                try FileTree.unlinkFile(path)  // They hold the path, and nobody activates a slug.
            } else if let script = try Self.text(path), let moved = self.relocated(script: script) {
                try FileTree.write(moved, to: path, mode: status.mode)
            }
        }
        try self.rewriteConfiguration()
        for name in try DirectoryWalk.names(in: self.packages) {
            let path = self.packages.appending(name)
            if name.string.hasSuffix(".dist-info") {
                try self.relocate(metadata: path)
            } else if name.string.hasSuffix(".pth"), let text = try Self.text(path),
                text.contains(self.context.tree.string)
            {
                // A line of a .pth file is relative to the directory that the file is in.
                let up = "../../../../.."
                try FileTree.write(text.replacing("\(self.context.tree)", with: up), to: path)
            }
        }
    }

    /// Compiles the packages, so that instances, which cannot write to their slug, start fast.
    ///
    /// Pure function of the sources: no time stamp, no build directory. Files that do not compile are none that anybody
    /// imports (templates, other versions of Python).
    func compile() async throws(BuildError) {
        guard self.interpreter.version >= SoftwareVersion(3, 9, 0) else { return }
        _ = try await self.context.capture(
            self.python.string,
            [
                "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s",
                self.context.tree.string, self.packages.string,
            ], timeLimit: .seconds(600))
    }

    /// The script with an interpreter that is found beside it; nil when it needs no change.
    private func relocated(script: String) -> String? {
        var lines = script.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard lines.count > 2, lines[0].hasPrefix("#!") else { return nil }
        let prefix = self.root.appending("bin/python").string
        // The shell executes the second line; for Python it is part of a string. (pip does the same for long paths.)
        let header = [
            "#!/bin/sh",
            #"'''exec' "$(dirname -- "$(readlink -f -- "$0")")"/python "$0" "$@""#,
            "' '''",
        ]
        if lines[0].hasPrefix("#!\(prefix)") {
            lines.replaceSubrange(0..<1, with: header)
        } else if lines[0] == "#!/bin/sh", lines[1].contains(prefix) {
            lines.replaceSubrange(0..<3, with: header)
        } else {
            return nil
        }
        return lines.joined(separator: "\n")
    }

    /// `pyvenv.cfg` with only what Python needs: where its standard library is.
    private func rewriteConfiguration() throws {
        let path = self.root.appending("pyvenv.cfg")
        let kept = (try Self.text(path) ?? "").lines.filter { line in
            ["home", "include-system-site-packages", "version"].contains(line.prefix { $0 != "=" }.trimmed)
        }
        try FileTree.write(kept.joined(separator: "\n") + "\n", to: path)
    }

    private func relocate(metadata: FilePath) throws {
        // Says where a package was installed *from*; for one of the application's own directories, the build directory.
        let origin = metadata.appending("direct_url.json")
        if let text = try Self.text(origin), text.contains("file:") { try FileTree.unlinkFile(origin) }
        let record = metadata.appending("RECORD")
        guard let text = try Self.text(record) else { return }
        // The sums of scripts are those of before they were changed.
        let lines = text.lines.compactMap { line -> String? in
            if line.contains("direct_url.json,") { return nil }
            guard line.hasPrefix("../../../bin/"), let comma = line.firstIndex(of: ",") else { return String(line) }
            return line[..<comma] + ",,"
        }
        try FileTree.write(lines.joined(separator: "\n"), to: record)
    }

    /// The text of a small file; nil when it is large or no text.
    private static func text(_ path: FilePath) throws -> String? {
        guard let status = try FileStatus.of(path), status.kind == .regular, status.size <= 4 * 1024 * 1024,
            let bytes = try FileTree.read(path, limit: 4 * 1024 * 1024)
        else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}
