public import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension HostBuildSandbox {
    /// Kills what builds are still running of a host that was killed: nobody else would ever end them.
    ///
    /// Call it before the first build. Without `/proc`, as on macOS, it finds none.
    ///
    /// - Parameter directory: The builder's ``Builder/Configuration/temporaryDirectory``, as an absolute path. It must be
    ///   this builder's alone: the builds of whoever else uses it are killed as well.
    @concurrent
    public static func killLeftBehind(below directory: FilePath) async {
        // More than once: a process may fork while it is being looked for.
        for _ in 0..<50 {
            let processes = ProcessTree.builders(below: directory)
            if processes.isEmpty { return }
            for process in processes { kill(process, SIGKILL) }
            usleep(2_000)
        }
    }
}
