import SystemPackage

/// A Python that is installed on this machine.
struct PythonInterpreter: Hashable, Sendable {
    var path: FilePath
    var version: SoftwareVersion

    /// The interpreters that work, in the order of the search path.
    ///
    /// Each is asked for its version: names lie, and version managers put a `python3.N` for every version there is on
    /// the path, which fail unless that version is switched on.
    static func installed(_ context: BuildContext) async throws(BuildError) -> [PythonInterpreter] {
        var found: [PythonInterpreter] = []
        var asked: Set<FilePath> = []
        for candidate in context.configuration.pythonInterpreters ?? Self.candidates(context) {
            guard let real = FileTree.resolved(candidate), asked.insert(real).inserted else { continue }
            // In a virtual environment, the interpreter that it was made from.
            let script = """
                import sys
                print(getattr(sys, "_base_executable", None) or sys.executable)
                print("%d.%d.%d" % sys.version_info[:3])
                """
            guard
                let (exit, lines) = try await Self.answer(context, candidate, script), exit.isSuccess,
                lines.count >= 2, let version = SoftwareVersion(lines[1]), version.major == 3
            else { continue }
            // `python3` may mean another version next year; the file behind it will not.
            let path = FileTree.resolved(FilePath(lines[0])) ?? FilePath(lines[0])
            let interpreter = PythonInterpreter(path: path, version: version)
            if !found.contains(interpreter) { found.append(interpreter) }
        }
        return found
    }

    /// The interpreter that serves the request best.
    ///
    /// The first on the search path is taken if it will do, because that is the one that the machine's owner chose;
    /// else the newest that will. A request for one patch version is served by another patch of the same minor version.
    static func choose(
        _ request: PythonVersionRequest, from installed: [PythonInterpreter]
    ) throws(BuildError) -> PythonInterpreter {
        guard !installed.isEmpty else {
            throw BuildError(
                .runtimeMissing,
                "This machine has no Python on the search path for builds. Install it (on Debian: python3, python3-venv "
                    + "and python3-pip).")
        }
        for request in [request, request.withoutPatch].compactMap({ $0 }) {
            let suitable = installed.filter { request.admits($0.version) }
            if let first = installed.first, suitable.contains(first) { return first }
            if let newest = suitable.max(by: { $0.version < $1.version }) { return newest }
        }
        let present = installed.map { "\($0.version) (\($0.path))" }.joined(separator: ", ")
        throw BuildError(
            .runtimeMissing,
            "\(request.origin) asks for Python \(request.text), and this machine has \(present). Ask for one of these, or "
                + "have the other installed on the search path for builds.")
    }

    private static func answer(
        _ context: BuildContext, _ python: FilePath, _ script: String
    ) async throws(BuildError) -> (BuildExit, [String])? {
        do {
            return try await context.capture(python.string, ["-I", "-c", script], timeLimit: .seconds(20))
        } catch {
            if error.code == .cancelled { throw error }
            return nil
        }
    }

    private static func candidates(_ context: BuildContext) -> [FilePath] {
        var candidates: [FilePath] = []
        for directory in context.configuration.searchPath.split(separator: ":") where directory.hasPrefix("/") {
            let directory = FilePath(String(directory))
            for name in (try? DirectoryWalk.names(in: directory)) ?? [] where Self.isPython(name) {
                candidates.append(directory.appending(name))
            }
        }
        return candidates.filter { FileTree.isExecutable($0) }
    }

    private static func isPython(_ name: String) -> Bool {
        guard name.hasPrefix("python3") else { return false }
        let rest = name.dropFirst("python3".count)
        return rest.isEmpty || (rest.hasPrefix(".") && rest.count > 1 && rest.dropFirst().allSatisfy(\.isNumber))
    }
}
