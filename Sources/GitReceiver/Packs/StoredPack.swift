import Synchronization
import SystemPackage

/// A pack on disk, for reading. Once it is open it stays readable when its file is removed.
final class StoredPack: Sendable {
    let name: String
    let index: PackIndex
    /// Where the last entry ends and the checksum begins.
    let end: Int
    private let path: FilePath
    private let descriptor = Mutex<FileDescriptor?>(nil)

    /// Opens a pack and its index, and checks that they belong together.
    init(_ name: String, in directory: FilePath) throws(GitReceiverError) {
        self.name = name
        self.path = directory.appending(name + ".pack")
        self.index = try PackIndex(directory.appending(name + ".idx"))
        guard let size = Files.size(self.path) else { throw Files.failure("A pack could not be opened") }
        self.end = size - 20
        guard self.end >= PackHeader.size else { throw self.damaged("is cut off") }
        var edges = [UInt8](repeating: 0, count: PackHeader.size + 20)
        try edges.withMutableRaw { edges throws(GitReceiverError) in
            try self.fill(UnsafeMutableRawBufferPointer(rebasing: edges[..<PackHeader.size]), from: 0)
            try self.fill(UnsafeMutableRawBufferPointer(rebasing: edges[PackHeader.size...]), from: self.end)
        }
        guard try PackHeader.objectCount(edges.prefix(PackHeader.size)) == self.index.count,
            edges.suffix(20).elementsEqual(self.index.packChecksum)
        else { throw self.damaged("is not the one of its index") }
    }

    deinit { self.close() }

    /// Opens the file if it is not open.
    func open() throws(GitReceiverError) { try self.fill(UnsafeMutableRawBufferPointer(start: nil, count: 0), from: 0) }

    /// Lets go of the file; it is opened again when it is needed, if it is still there.
    func close() {
        self.descriptor.withLock { descriptor in
            try? descriptor?.close()
            descriptor = nil
        }
    }

    /// Reads bytes, all of which have to be there.
    func fill(_ buffer: UnsafeMutableRawBufferPointer, from offset: Int) throws(GitReceiverError) {
        do {
            try self.descriptor.withLock { descriptor in
                let file = try descriptor ?? FileDescriptor.open(self.path, .readOnly, options: .closeOnExec)
                descriptor = file
                var done = 0
                while done < buffer.count {
                    let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
                    let count = try file.read(fromAbsoluteOffset: Int64(offset + done), into: rest)
                    guard count > 0 else { throw Errno.ioError }
                    done += count
                }
            }
        } catch { throw GitReceiverError(.storage, "A pack could not be read.", cause: error) }
    }

    func damaged(_ how: String) -> GitReceiverError {
        GitReceiverError(.corrupt, "The pack \(self.name) \(how).")
    }
}

/// Bytes of a pack as they are asked for, in places that mostly come in order: one read serves many.
struct PackWindow {
    private let pack: StoredPack
    private var bytes: [UInt8] = []
    private var start = 0

    init(_ pack: StoredPack) { self.pack = pack }

    /// Hands over at least `least` bytes from an offset, which the pack has to have before its checksum; reads `wanted` if
    /// they are not at hand.
    mutating func withBytes<R>(
        at offset: Int, least: Int, wanted: @autoclosure () -> Int,
        _ body: (UnsafeRawBufferPointer) throws(GitReceiverError) -> R
    ) throws(GitReceiverError) -> R {
        // In this order: the offset may be any number if the index is damaged.
        guard offset >= PackHeader.size, offset <= self.pack.end, least <= self.pack.end - offset else {
            throw self.pack.damaged("has an object beyond its end")
        }
        if offset < self.start || offset + least > self.start + self.bytes.count {
            let count = min(max(wanted(), least), self.pack.end - offset)
            if self.bytes.count != count { self.bytes = [UInt8](repeating: 0, count: count) }
            self.start = offset
            let pack = self.pack
            do throws(GitReceiverError) {
                try self.bytes.withMutableRaw { bytes throws(GitReceiverError) in try pack.fill(bytes, from: offset) }
            } catch {
                self.bytes = []
                throw error
            }
        }
        let skipped = offset - self.start
        return try self.bytes.withRaw { bytes throws(GitReceiverError) in
            try body(UnsafeRawBufferPointer(rebasing: bytes[skipped...]))
        }
    }

    /// The header of the entry at an offset.
    mutating func header(at offset: Int, wanted: Int = 1 << 12) throws(GitReceiverError) -> PackEntryHeader {
        let pack = self.pack
        guard offset >= PackHeader.size, offset < pack.end else { throw pack.damaged("has an object beyond its end") }
        let least = min(PackEntryHeader.longest, pack.end - offset)
        return try self.withBytes(at: offset, least: least, wanted: wanted) { bytes throws(GitReceiverError) in
            guard let header = try PackEntryHeader(bytes) else { throw pack.damaged("ends within an object") }
            return header
        }
    }
}
