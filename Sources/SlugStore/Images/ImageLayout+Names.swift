import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension ImageLayout {
    /// Names images; all of them appear at once.
    func name(_ images: [(manifest: ImageDescriptor, name: String)]) async throws(SlugStoreError) {
        for (_, name) in images { try Self.check(name) }
        var waited = Duration.zero
        while true {
            let isDone = try await BlockingWork.run { (_) throws(SlugStoreError) in try self.nameUnlessLocked(images) }
            if isDone { return }
            // Another program's lock gives no sign when it is released, so there is nothing to wait for but time.
            let pause = Duration.milliseconds(25)
            guard waited < self.lockTimeout else {
                throw SlugStoreError(
                    code: .busy,
                    message: "Another program has held the images in \(self.directory) for \(self.lockTimeout). "
                        + "Try again later.")
            }
            waited += pause
            do { try await self.clock.sleep(for: pause) } catch { throw .cancelled }
        }
    }

    /// Blocks, but for no lock.
    /// - Returns: Whether it was done: not if somebody else gives names now.
    private func nameUnlessLocked(
        _ images: [(manifest: ImageDescriptor, name: String)]
    ) throws(SlugStoreError) -> Bool {
        // The directory itself, since every other file of a layout is replaced by renaming, and a lock with it.
        guard let lock = try self.lock() else { return false }
        return try withExtendedLifetime(lock) { () throws(SlugStoreError) in
            var index = ImageIndex()
            do throws(SlugStoreError) {
                index = try self.readIndex()
            } catch {
                guard error.code == .notFound else { throw error }
            }
            index.manifests.removeAll { existing in
                images.contains { $0.name == existing.annotations?[ImageAnnotation.name] }
            }
            for (manifest, name) in images {
                var entry = manifest
                entry.annotations = (entry.annotations ?? [:]).merging([ImageAnnotation.name: name]) { $1 }
                index.manifests.append(entry)
            }
            let bytes = try ImageDocument.encode(index)
            guard bytes.count <= ImageDocument.maxBytes else {
                throw SlugStoreError(
                    code: .limitExceeded,
                    message: "\(self.directory) has too many images: its index would have \(bytes.count) bytes; the "
                        + "limit is \(ImageDocument.maxBytes).")
            }
            try Self.write(bytes, to: self.directory.appending("index.json"))
            return true
        }
    }

    /// The lock that is held while names are given, until the descriptor goes; `nil` if somebody holds it.
    func lock() throws(SlugStoreError) -> Descriptor? {
        let directory = try Descriptor.directory(at: self.directory)
        if retrying({ flock(directory.raw, LOCK_EX | LOCK_NB) }) == 0 { return directory }
        guard errno == EWOULDBLOCK else { throw .systemCall("Locking the images in \(self.directory)") }
        return nil
    }

    /// What the specification lets be a name.
    package static func check(_ name: String) throws(SlugStoreError) {
        let isAllowed = name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || "-._:@/+".utf8.contains(byte)
        }
        guard isAllowed, !name.isEmpty, name.utf8.count <= 128 else {
            throw SlugStoreError(
                code: .unsupportedEntry,
                message:
                    "\(printable(name.utf8.prefix(140))) cannot be the name of an image: use up to 128 letters, digits and -._:@/+."
            )
        }
    }
}
