import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file that is being written, with the checksum of what is in it. Not Sendable: for one thread at a time.
final class PackFile {
    private let descriptor: FileDescriptor
    private(set) var size = 0
    private var checksum = StreamChecksum()

    init(creating path: FilePath) throws(GitReceiverError) {
        do {
            self.descriptor = try FileDescriptor.open(
                path, .readWrite, options: [.create, .truncate, .closeOnExec, .noFollow],
                permissions: [.ownerRead, .ownerWrite, .groupRead, .otherRead])
        } catch { throw GitReceiverError(.storage, "The pack cannot be stored.", cause: error) }
    }

    deinit { try? self.descriptor.close() }

    /// Adds bytes to the file, not to the checksum.
    func write(_ bytes: UnsafeRawBufferPointer) throws(GitReceiverError) {
        do { try self.descriptor.writeAll(bytes) } catch {
            throw GitReceiverError(.storage, "The pack cannot be stored.", cause: error)
        }
        self.size += bytes.count
    }

    /// Adds bytes to the checksum.
    func digest(_ bytes: UnsafeRawBufferPointer) {
        self.checksum.update(bytes)
    }

    /// Adds bytes to both.
    func append(_ bytes: [UInt8]) throws(GitReceiverError) {
        try bytes.withRaw { bytes throws(GitReceiverError) in
            try self.write(bytes)
            self.digest(bytes)
        }
    }

    /// The checksum of everything so far, after which there is no more.
    func finishDigest() -> [UInt8] { self.checksum.finish() }

    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(GitReceiverError) -> Int {
        do { return try self.descriptor.read(fromAbsoluteOffset: Int64(offset), into: buffer) } catch {
            throw GitReceiverError(.storage, "The pack cannot be read.", cause: error)
        }
    }

    /// Replaces the number of objects and drops what is behind the last of them; the checksum is computed anew.
    func restart(count: Int, end: Int) throws(GitReceiverError) {
        let number = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) }
        do {
            try self.descriptor.writeAll(toAbsoluteOffset: 8, number)
        } catch { throw GitReceiverError(.storage, "The pack cannot be stored.", cause: error) }
        self.checksum = StreamChecksum()
        var position = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while position < end {
            let wanted = min(buffer.count, end - position)
            let count = try buffer.withMutableRaw { buffer throws(GitReceiverError) in
                let count = try self.read(
                    at: position, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]))
                self.digest(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                return count
            }
            guard count > 0 else { throw GitReceiverError(.storage, "The pack cannot be read.") }
            position += count
        }
        guard ftruncate(self.descriptor.rawValue, off_t(end)) == 0 else {
            throw Files.failure("The pack cannot be stored")
        }
        do { try self.descriptor.seek(offset: Int64(end), from: .start) } catch {
            throw GitReceiverError(.storage, "The pack cannot be stored.", cause: error)
        }
        self.size = end
    }

    /// Makes the contents survive a power cut.
    func sync() throws(GitReceiverError) {
        guard fsync(self.descriptor.rawValue) == 0 else { throw Files.failure("The pack cannot be stored") }
    }
}
