import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Removes trees without following a link, whatever is in them.
enum TreeRemover {
    /// Removes the entry `name` and all below it. That there is none is fine.
    static func remove(_ name: some Collection<UInt8>, in directory: Descriptor) throws(SlugStoreError) {
        guard let status = try directory.status(of: name, "Looking at \(printable(name))") else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            return try directory.unlink(name, "Removing \(printable(name))")
        }
        try self.empty(try directory.open(name, O_RDONLY | O_DIRECTORY, "Opening \(printable(name))"))
        try directory.unlink(name, directory: true, "Removing the directory \(printable(name))")
    }

    /// Removes all that is in a directory.
    static func empty(_ directory: Descriptor) throws(SlugStoreError) {
        // A tree may have come from elsewhere with directories that even their owner may not write to.
        try? directory.setMode(0o700, "Opening up a directory")
        for (name, type) in try directory.entries("Listing a directory to be removed") {
            if CInt(type) == CInt(DT_REG) || CInt(type) == CInt(DT_LNK) {
                try directory.unlink(name, "Removing \(printable(name))")
            } else {
                try self.remove(name, in: directory)
            }
        }
    }
}
