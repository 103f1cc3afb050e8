#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What programs that were killed have left in a directory. Its names say whose it was: `NAME-PROCESS-NUMBER`.
struct Leftovers {
    /// ``NewFile``'s.
    static let files = Leftovers(type: S_IFREG) { $0.hasPrefix(".") && $0.hasSuffix(".writing") }
    /// ``WorkingDirectory``'s.
    static let directories = Leftovers(type: S_IFDIR) { $0 == WorkingDirectory.name }

    /// A process in another container may have a number that means nothing here; it writes more often than that.
    private static let seconds = 3600

    let type: mode_t
    let isName: @Sendable (_ name: String) -> Bool

    /// Removes what processes that are gone have left, if it is this user's and nobody has written to it for an hour. What cannot be
    /// removed is no reason not to go on.
    func sweep(_ directory: Descriptor) {
        let what = "Looking for what is left over"
        for (name, _) in (try? directory.entries(what)) ?? [] {
            let parts = String(decoding: name, as: UTF8.self).split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count > 2, let process = pid_t(parts[parts.count - 2]), process > 0,
                Int(parts[parts.count - 1]) != nil,
                self.isName(parts.dropLast(2).joined(separator: "-")), kill(process, 0) != 0, errno == ESRCH,
                let status = try? directory.status(of: name, what),
                status.st_mode & S_IFMT == self.type, status.st_uid == geteuid(),
                time(nil) - status.modificationSeconds > Self.seconds
            else { continue }
            try? TreeRemover.remove(name, in: directory)
        }
    }
}

extension stat {
    fileprivate var modificationSeconds: Int {
        #if canImport(Darwin)
            self.st_mtimespec.tv_sec
        #else
            self.st_mtim.tv_sec
        #endif
    }
}
