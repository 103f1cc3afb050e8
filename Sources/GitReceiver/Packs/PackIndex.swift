import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The index of a pack on disk, as git's version 2 has it: the sorted names of its objects, each with the checksum of its
/// packed bytes and where they begin. Mapped, not loaded; the mapping outlives the file.
final class PackIndex: Sendable {
    /// What is mapped at this address is only ever read, by whoever holds this object, and unmapped when nobody does.
    private nonisolated(unsafe) let start: UnsafeRawPointer
    private let size: Int
    /// The number of objects.
    let count: Int

    private static let names = 8 + 1024
    private var checksums: Int { Self.names + 20 * self.count }
    private var places: Int { self.checksums + 4 * self.count }
    private var largePlaces: Int { self.places + 4 * self.count }

    init(_ path: FilePath) throws(GitReceiverError) {
        let descriptor = open(path.string, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Files.failure("The index of a pack could not be opened") }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw Files.failure("The index of a pack could not be read") }
        let size = Int(info.st_size)
        guard size >= Self.names + 40 else { throw Self.damaged }
        guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
            throw Files.failure("The index of a pack could not be read")
        }
        self.start = UnsafeRawPointer(start)
        self.size = size
        func total(_ first: Int) -> Int {
            Int(UnsafeRawPointer(start).loadUnaligned(fromByteOffset: 8 + 4 * first, as: UInt32.self).bigEndian)
        }
        self.count = total(255)
        let isVersion2 = self.start.loadUnaligned(as: UInt64.self).bigEndian == 0xFF74_4F63_0000_0002
        let isSorted = (1..<256).allSatisfy { total($0 - 1) <= total($0) }
        let least = Self.names + 28 * self.count + 40
        guard isVersion2, isSorted, size >= least, (size - least).isMultiple(of: 8) else { throw Self.damaged }
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: self.start), self.size) }

    private static var damaged: GitReceiverError { GitReceiverError(.corrupt, "The index of a pack is damaged.") }

    private func number(at offset: Int) -> UInt32 {
        self.start.loadUnaligned(fromByteOffset: offset, as: UInt32.self).bigEndian
    }

    func oid(_ row: Int) -> ObjectID {
        ObjectID(raw: UnsafeRawBufferPointer(start: self.start, count: self.size), at: Self.names + 20 * row)
    }

    /// The CRC-32 of an object's packed bytes, header included.
    func crc(_ row: Int) -> UInt32 { self.number(at: self.checksums + 4 * row) }

    /// Where an object's packed bytes begin.
    func offset(_ row: Int) throws(GitReceiverError) -> Int {
        let place = self.number(at: self.places + 4 * row)
        guard place & 0x8000_0000 != 0 else { return Int(place) }
        let position = self.largePlaces + 8 * Int(place & 0x7FFF_FFFF)
        guard position + 8 + 40 <= self.size else { throw Self.damaged }
        let high = self.number(at: position)
        guard high < 0x8000_0000 else { throw Self.damaged }
        return Int(high) << 32 | Int(self.number(at: position + 4))
    }

    /// The checksum at the end of the pack that this is the index of.
    var packChecksum: [UInt8] { Array(UnsafeRawBufferPointer(start: self.start + self.size - 40, count: 20)) }

    /// The row of a name, or nil.
    func find(_ oid: ObjectID) -> Int? {
        let first = Int(oid.byte(at: 0))
        var low = first == 0 ? 0 : Int(self.number(at: 8 + 4 * (first - 1)))
        var high = Int(self.number(at: 8 + 4 * first))
        while low < high {
            let middle = (low + high) / 2
            let other = self.oid(middle)
            if other == oid { return middle }
            if other < oid { low = middle + 1 } else { high = middle }
        }
        return nil
    }
}
