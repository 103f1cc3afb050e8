#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What programs that were killed have left in a directory, under names like `NAME-PROCESS-NUMBER`. Whoever makes something of
/// such a name holds it locked: a process's number says nothing to those in another container, or after a restart in the same.
struct Leftovers {
    /// ``NewFile``'s.
    static let files = Leftovers(type: S_IFREG) { $0.hasPrefix(".") && $0.hasSuffix(".writing") }
    /// ``WorkingDirectory``'s.
    static let directories = Leftovers(type: S_IFDIR) { $0 == WorkingDirectory.name }
    /// ``Destination``'s.
    static let trees = Leftovers(type: S_IFDIR) { $0.hasPrefix(".") && $0.hasSuffix(".extracting") }

    /// A name is there a moment before its lock is; and where locks are those of one machine alone, whoever writes to a file writes
    /// more often than that.
    private static let seconds = 3600

    let type: mode_t
    let isName: @Sendable (_ name: String) -> Bool

    /// Keeps what was just made from being swept, for as long as the descriptor lives. Where nothing can be locked, nothing is swept.
    static func claim(_ made: Descriptor) { _ = retrying { flock(made.raw, LOCK_EX | LOCK_NB) } }

    /// Removes what nobody holds, if it is this user's and nobody has written to it for an hour. What cannot be removed is no reason
    /// not to go on.
    func sweep(_ directory: Descriptor) {
        let what = "Looking for what is left over"
        for (name, _) in (try? directory.entries(what)) ?? [] {
            let parts = String(decoding: name, as: UTF8.self).split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count > 2, pid_t(parts[parts.count - 2]) != nil, Int(parts[parts.count - 1]) != nil,
                self.isName(parts.dropLast(2).joined(separator: "-")),
                let status = try? directory.status(of: name, what),
                status.st_mode & S_IFMT == self.type, status.st_uid == geteuid(),
                status.modificationSeconds < time(nil) - Self.seconds,
                let entry = try? directory.open(name, self.type == S_IFDIR ? O_RDONLY | O_DIRECTORY : O_RDWR, what),
                retrying({ flock(entry.raw, LOCK_EX | LOCK_NB) }) == 0,
                // Whoever held it may have given it another name since, or somebody else this name to another.
                let locked = try? entry.status(what), let named = try? directory.status(of: name, what),
                (locked.st_dev, locked.st_ino) == (named.st_dev, named.st_ino)
            else { continue }
            withExtendedLifetime(entry) { try? TreeRemover.remove(name, in: directory) }
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
