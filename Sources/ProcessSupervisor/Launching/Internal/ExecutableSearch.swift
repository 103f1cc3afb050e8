import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Finds a program as `execvp` would, but in the `PATH` of the process that is to be, and before there is one.
enum ExecutableSearch {
    static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// The path to execute.
    ///
    /// - Parameters:
    ///   - name: What is looked for.
    ///   - process: Whose `PATH` counts.
    ///   - isThere: Whether the process will see what the host has at a path.
    static func find(
        _ name: String, for process: ProcessSpec, where isThere: (FilePath) -> Bool = { _ in true }
    ) throws(SupervisorError) -> String {
        if name.contains("/") { return name }
        let path = process.environment["PATH"] ?? Self.defaultPath
        let directory = FilePath(process.workingDirectory)
        for entry in path.split(separator: ":", omittingEmptySubsequences: false) {
            // An empty entry is the working directory, and a relative one counts from it; it is not the host's.
            let candidate = directory.pushing(FilePath(String(entry))).appending(name)
            if isThere(candidate), Self.isExecutable(candidate.string) { return candidate.string }
        }
        throw SupervisorError(
            code: .launchFailed, message: "cannot execute \(name): not found in PATH (\(path))")
    }

    private static func isExecutable(_ path: String) -> Bool {
        var information = stat()
        guard stat(path, &information) == 0, information.st_mode & S_IFMT == S_IFREG else { return false }
        return access(path, X_OK) == 0
    }
}
