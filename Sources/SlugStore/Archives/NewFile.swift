import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file that appears when it is complete, in place of what was there; without ``publish()``, nothing stays. Used on one thread.
final class NewFile {
    private let path: FilePath
    private let directory: Descriptor
    private let name: String
    private let temporaryName: String
    private let file: Descriptor
    private var isPublished = false
    /// What was written.
    private(set) var bytes: Int64 = 0

    init(at path: FilePath) throws(SlugStoreError) {
        guard let name = path.lastComponent?.string, name != "..", name != "." else {
            throw SlugStoreError(code: .destinationExists, message: "\(path) cannot be the name of a file.")
        }
        let above = path.removingLastComponent()
        self.path = path
        self.name = name
        self.directory = try Descriptor.directory(at: above.isEmpty ? "." : above)
        var number = 0
        while true {
            number += 1
            let temporaryName = ".\(name).writing-\(getpid())-\(number)"
            do throws(SlugStoreError) {
                self.file = try self.directory.open(
                    temporaryName.utf8, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644, "Making a file beside \(path)")
                self.temporaryName = temporaryName
                Leftovers.claim(self.file)
                return
            } catch {
                guard error.cause as? Errno == .fileExists, number < 10_000 else { throw error }
            }
        }
    }

    deinit {
        if !self.isPublished { try? self.directory.unlink(self.temporaryName.utf8, "Removing an unfinished file") }
    }

    /// Removes what programs that were killed have left of such files in the same directory.
    func removeLeftovers() { Leftovers.files.sweep(self.directory) }

    func append(_ bytes: [UInt8]) throws(SlugStoreError) {
        try bytes.withBytes { bytes throws(SlugStoreError) in
            try self.file.write(bytes, at: UInt64(self.bytes), "Writing \(self.path)")
        }
        self.bytes += Int64(bytes.count)
    }

    /// - Parameters:
    ///   - name: What the file is called in its directory, if that was not known before.
    ///   - isDurable: Whether it is waited until a power failure leaves all of the file.
    func publish(as name: String? = nil, isDurable: Bool = false) throws(SlugStoreError) {
        // Before the name: it would lead to an empty file.
        if isDurable { try self.file.synchronise("Writing \(self.path)") }
        let status = withCString(self.temporaryName.utf8) { old in
            withCString((name ?? self.name).utf8) { new in
                renameat(self.directory.raw, old, self.directory.raw, new)
            }
        }
        guard status == 0 else { throw .systemCall("Renaming a file to \(self.path)") }
        self.isPublished = true
        if isDurable { try self.directory.synchronise("Naming \(self.path)") }
    }
}
