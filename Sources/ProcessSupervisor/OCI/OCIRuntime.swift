public import SystemPackage

/// A program that makes containers by the specification of the Open Container Initiative, and where it may keep them.
///
/// It is called as `runc` is (`run --detach --bundle`, `delete --force`), and has to make a container of the kernel's
/// namespaces, as `runc` and `crun` do: an instance is a process of this kernel, and known by its number and start time.
/// Runtimes that hide it in a machine or a kernel of its own cannot serve.
public struct OCIRuntime: Sendable, Hashable {
    /// The program: a path, or a name that is looked for in `/usr/local/sbin`, `/usr/local/bin`, `/usr/sbin` and so on.
    public var program: String
    /// A directory for the containers' bundles and the runtime's own notes, made where it is missing. It must be the same for
    /// every start of a host, and nobody else's: what a host finds there and does not know, it ends.
    public var directory: FilePath
    /// How long one call of the program may take, from one second to an hour.
    public var timeout: Duration

    /// Describes a runtime.
    public init(_ program: String = "runc", directory: FilePath, timeout: Duration = .seconds(30)) {
        self.program = program
        self.directory = directory
        self.timeout = timeout
    }

    func validate() throws(SupervisorError) {
        guard !self.program.isEmpty else { throw .invalid("the program of an OCI runtime has no name") }
        guard self.directory.isAbsolute, self.directory.isLexicallyNormal, self.directory.string.utf8.count <= 1000
        else {
            throw .invalid(
                "\"\(self.directory)\" cannot be the directory of an OCI runtime: use an absolute path without \"..\"")
        }
        guard (.seconds(1)...Duration.seconds(3600)).contains(self.timeout) else {
            throw .invalid("the timeout of an OCI runtime is \(self.timeout); it must be from a second to an hour")
        }
    }
}
