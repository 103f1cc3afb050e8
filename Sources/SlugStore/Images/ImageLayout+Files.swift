import Crypto
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What a layout does to its files. All of it blocks.
extension ImageLayout {
    private static let version = Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)

    var blobs: FilePath { self.directory.appending("blobs/sha256") }

    /// Whether content is there: it is read and hashed. A file with another is what a disk or somebody else has made of it: not
    /// the content, and replaced by it.
    func has(_ content: ImageDescriptor, _ cancellation: Cancellation) throws(SlugStoreError) -> Bool {
        let path = try self.path(of: content)
        guard try Self.bytes(at: path) == content.size else { return false }
        return try Descriptor.regularFile(at: path).digest("Reading \(path)", cancellation) == content.hex
    }

    /// The size of a file; `nil` if there is none, or something else.
    private static func bytes(at path: FilePath) throws(SlugStoreError) -> Int64? {
        var status = stat()
        guard lstat(path.string, &status) == 0 else {
            guard errno == ENOENT else { throw .systemCall("Looking at \(path)") }
            return nil
        }
        return status.st_mode & S_IFMT == S_IFREG ? Int64(status.st_size) : nil
    }

    /// Throws unless the file of a content is one, and of its size.
    func check(_ content: ImageDescriptor) throws(SlugStoreError) {
        let path = try self.path(of: content)
        let size = try Descriptor.regularFile(at: path).size
        guard size == content.size else {
            throw .corrupted("\(path) has \(size) of the \(content.size) bytes that it should have.")
        }
    }

    /// Makes the directories that are missing, and removes what programs that were killed have left in them.
    func prepare() throws(SlugStoreError) {
        for path in [self.directory, self.directory.appending("blobs"), self.blobs] {
            guard mkdir(path.string, 0o755) == 0 || errno == EEXIST else {
                throw .systemCall("Making the directory \(path)")
            }
        }
        let version = self.directory.appending("oci-layout")
        if try Self.bytes(at: version) ?? 0 == 0 { try Self.write(Self.version, to: version) }
        for path in [self.directory, self.blobs] {
            Leftovers.files.sweep(try Descriptor.directory(at: path))
        }
    }

    static func write(_ bytes: [UInt8], to path: FilePath) throws(SlugStoreError) {
        let file = try NewFile(at: path)
        try file.append(bytes)
        try file.publish(isDurable: true)
    }

    /// Stores a document and says what it is.
    func store(_ document: some Encodable, _ mediaType: String) throws(SlugStoreError) -> ImageDescriptor {
        let bytes = try ImageDocument.encode(document)
        let content = ImageDescriptor(
            mediaType: mediaType, digest: "sha256:\(ChunkID(of: bytes))", size: Int64(bytes.count))
        // It is small, so nobody has to end that.
        if try !self.has(content, Cancellation()) { try Self.write(bytes, to: try self.path(of: content)) }
        return content
    }

    /// Reads a small document and checks that it is what its descriptor says.
    func readDocument(_ content: ImageDescriptor) throws(SlugStoreError) -> [UInt8] {
        guard (0...ImageDocument.maxBytes).contains(content.size) else {
            throw SlugStoreError(
                code: .limitExceeded,
                message:
                    "\(printable(content.digest.utf8.prefix(80))) of an image has \(content.size) bytes; the limit is \(ImageDocument.maxBytes)."
            )
        }
        let bytes = try Self.read(try self.path(of: content))
        guard Int64(bytes.count) == content.size, "sha256:\(ChunkID(of: bytes))" == content.digest else {
            throw .corrupted("\(content.digest) in \(self.directory) is damaged.")
        }
        return bytes
    }

    private static func read(_ path: FilePath) throws(SlugStoreError) -> [UInt8] {
        let file = try Descriptor.regularFile(at: path)
        let size = try file.size
        guard size <= ImageDocument.maxBytes else {
            throw SlugStoreError(
                code: .limitExceeded, message: "\(path) has \(size) bytes; the limit is \(ImageDocument.maxBytes).")
        }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        let count = try bytes.withMutableBytes { buffer throws(SlugStoreError) in
            try file.read(into: buffer, "Reading \(path)")
        }
        return Array(bytes[..<count])
    }

    /// Copies content, which must be what its descriptor says.
    /// - Returns: Whether it was not there.
    @discardableResult
    func copy(
        _ content: ImageDescriptor, from source: FilePath, _ cancellation: Cancellation
    ) throws(SlugStoreError) -> Bool {
        guard try !self.has(content, cancellation) else { return false }
        let input = try Descriptor.regularFile(at: source)
        let output = try NewFile(at: try self.path(of: content))
        var hash = SHA256()
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            try cancellation.check()
            let count = try buffer.withMutableBytes { buffer throws(SlugStoreError) in
                try input.read(into: buffer, "Reading \(source)")
            }
            if count == 0 { break }
            hash.update(data: buffer[..<count])
            try output.append(Array(buffer[..<count]))
            guard output.bytes <= content.size else { break }
        }
        guard output.bytes == content.size, "sha256:\(hexadecimal(hash.finalize()))" == content.digest else {
            throw .corrupted("\(source) is not what its digest says, \(content.digest).")
        }
        try output.publish(isDurable: true)
        return true
    }

    func readIndex() throws(SlugStoreError) -> ImageIndex {
        let path = self.directory.appending("index.json")
        let bytes: [UInt8]
        do throws(SlugStoreError) {
            bytes = try Self.read(path)
        } catch {
            guard error.cause as? Errno == .noSuchFileOrDirectory else { throw error }
            throw SlugStoreError(
                code: .notFound, message: "\(self.directory) is not a layout of images: it has no index.json.")
        }
        return try ImageDocument.decode(ImageIndex.self, bytes, path.string)
    }
}
