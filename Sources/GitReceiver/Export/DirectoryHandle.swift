import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// An open directory of an export. All entries are made relative to it, anew, and without following links.
struct DirectoryHandle: ~Copyable {
    private let descriptor: Int32

    /// Opens a directory below a root that the caller trusts; no component below it may be a link.
    init(_ root: FilePath, below path: String) throws(GitReceiverError) {
        var descriptor = open(root.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        for component in path.split(separator: "/") where descriptor >= 0 {
            let next = openat(descriptor, String(component), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
            let number = errno
            close(descriptor)
            errno = number
            descriptor = next
        }
        guard descriptor >= 0 else { throw Files.failure("The directory '\(path)' could not be opened") }
        self.descriptor = descriptor
    }

    deinit { close(self.descriptor) }

    func makeDirectory(_ name: String, path: String) throws(GitReceiverError) {
        guard mkdirat(self.descriptor, name, 0o755) == 0 else {
            throw Files.failure("The directory '\(path)' could not be created")
        }
    }

    func makeLink(_ name: String, target: UnsafeRawBufferPointer, path: String) throws(GitReceiverError) {
        guard !target.isEmpty, !target.contains(0) else {
            throw GitReceiverError(.corrupt, "The symbolic link '\(path)' has no valid target.")
        }
        let terminated = Array(target) + [0]
        let result = terminated.withUnsafeBytes { bytes in
            bytes.withMemoryRebound(to: CChar.self) { text in
                text.baseAddress.map { symlinkat($0, self.descriptor, name) } ?? -1
            }
        }
        guard result == 0 else { throw Files.failure("The symbolic link '\(path)' could not be created") }
    }

    func writeFile(
        _ name: String, _ data: UnsafeRawBufferPointer, executable: Bool, path: String
    ) throws(GitReceiverError) {
        let mode: mode_t = executable ? 0o755 : 0o644
        let file = openat(self.descriptor, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
        guard file >= 0 else { throw Files.failure("The file '\(path)' could not be created") }
        defer { close(file) }
        var written = 0
        while written < data.count {
            let count = write(file, data.baseAddress?.advanced(by: written), data.count - written)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Files.failure("The file '\(path)' could not be written") }
            written += count
        }
        // The process's umask must not decide what the application may read.
        guard fchmod(file, mode) == 0 else { throw Files.failure("The mode of '\(path)' could not be set") }
    }
}
