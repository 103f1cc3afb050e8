#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Puts header blocks together (RFC 7541).
///
/// A field goes into the dynamic table when it comes for the second time, so that values that differ every time do not
/// push out those that stay; it is then found by the very bytes it was read from. Credentials are never indexed, and
/// marked so that nobody on the way does; dates, lengths and identifiers are not indexed either.
struct HPACKEncoder: ~Copyable {
    /// The block that is being put together.
    var block = ScratchBytes()
    private var table: HPACKDynamicTable
    private let known = HPACKStaticTable.shared
    private let huffman = HPACKHuffman.shared
    private let tableLimit: Int
    private let usesHuffman: Bool

    /// The smallest size the table had since the last block, when the peer has to be told of a change.
    private var smallestSize: Int?
    /// By hash: the number + 1 of the entry that was inserted last.
    private var slots: UnsafeMutablePointer<UInt32>
    /// By hash: the fingerprint of the field that was seen last.
    private var seen: UnsafeMutablePointer<UInt32>
    private static var slotCount: Int { 128 }

    /// - Parameter tableLimit: how large the table is at most, in bytes; a peer may want it smaller.
    init(tableLimit: Int, usesHuffman: Bool) {
        let size = min(4096, tableLimit)
        self.table = HPACKDynamicTable(maximumSize: size)
        self.tableLimit = tableLimit
        self.usesHuffman = usesHuffman
        self.smallestSize = size < 4096 ? size : nil
        self.slots = .allocate(capacity: Self.slotCount)
        self.slots.initialize(repeating: 0, count: Self.slotCount)
        self.seen = .allocate(capacity: Self.slotCount)
        self.seen.initialize(repeating: 0, count: Self.slotCount)
    }

    deinit {
        self.slots.deallocate()
        self.seen.deallocate()
    }

    var tableSize: Int { self.table.size }

    /// The peer allows another table size.
    mutating func allow(tableSize: Int) {
        let size = min(tableSize, self.tableLimit)
        guard size != self.table.maximumSize else { return }
        self.smallestSize = min(self.smallestSize ?? .max, size)
        self.table.setMaximumSize(size)
    }

    mutating func begin() {
        self.block.clear()
        guard let smallest = self.smallestSize else { return }
        self.smallestSize = nil
        if smallest < self.table.maximumSize {
            HPACKInteger.write(smallest, prefix: 5, pattern: 0x20, into: &self.block)
        }
        HPACKInteger.write(self.table.maximumSize, prefix: 5, pattern: 0x20, into: &self.block)
    }

    /// The block that was begun will not be sent: what it put into the table is unknown to the peer.
    mutating func abandon() {
        let size = self.table.maximumSize
        self.table.setMaximumSize(0)
        self.table.setMaximumSize(size)
        self.smallestSize = 0
        self.block.clear()
    }

    /// Appends an entry of the static table.
    @inline(__always)
    mutating func append(staticIndex index: Int) { self.block.append(0x80 | UInt8(truncatingIfNeeded: index)) }

    /// Appends a field that was appended before under the same key, if the table has it.
    ///
    /// - Parameter hash: `quickHash` of the key.
    @inline(__always)
    mutating func appendRepeated(key: UnsafeRawPointer, _ length: Int, hash: UInt64) -> Bool {
        let number = Int(self.slots[Self.slot(hash)]) &- 1
        guard number >= self.table.evicted else { return false }
        let entry = self.table[number]
        guard Int(entry.length) == length, memcmp(self.table.text(of: entry), key, length) == 0 else { return false }
        HPACKInteger.write(
            HPACKStaticTable.count &+ self.table.inserted &- number, prefix: 7, pattern: 0x80, into: &self.block)
        return true
    }

    @inline(__always)
    private static func slot(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (Self.slotCount &- 1) }

    enum Indexing { case repeated, none, never }

    /// Appends a field as a literal; the next time it may be found under its key.
    ///
    /// - Parameters:
    ///   - index: where the static table has the name; 0 when it does not.
    ///   - key: the bytes that the field was read from.
    mutating func append(
        name: UnsafeRawBufferPointer, index: Int, value: UnsafeRawBufferPointer, indexing: Indexing,
        key: UnsafeRawBufferPointer, hash: UInt64
    ) {
        var inserts = false
        if indexing == .repeated {
            let fingerprint = UInt32(truncatingIfNeeded: hash >> 32) | 1
            let slot = Self.slot(hash)
            inserts = self.seen[slot] == fingerprint
            self.seen[slot] = fingerprint
        }
        // A text longer than what it counts for would not fit the table's memory.
        let size = name.count + value.count + 32
        inserts = inserts && key.count <= size && size <= self.table.maximumSize / 2
        if inserts {
            HPACKInteger.write(index, prefix: 6, pattern: 0x40, into: &self.block)
        } else {
            HPACKInteger.write(index, prefix: 4, pattern: indexing == .never ? 0x10 : 0, into: &self.block)
        }
        if index == 0 { self.appendString(name) }
        self.appendString(value)
        guard inserts, let base = key.baseAddress else { return }
        self.table.insert(key: base, key.count, nameLength: name.count, valueLength: value.count)
        self.slots[Self.slot(hash)] = UInt32(truncatingIfNeeded: self.table.inserted)
    }

    private mutating func appendString(_ string: UnsafeRawBufferPointer) {
        guard let base = string.baseAddress, !string.isEmpty else {
            self.block.append(0)
            return
        }
        if self.usesHuffman {
            let coded = self.huffman.encodedLength(base, string.count)
            if coded < string.count {
                HPACKInteger.write(coded, prefix: 7, pattern: 0x80, into: &self.block)
                self.block.reserve(coded)
                self.huffman.encode(base, string.count, into: self.block.base + self.block.count)
                self.block.count += coded
                return
            }
        }
        HPACKInteger.write(string.count, prefix: 7, pattern: 0, into: &self.block)
        self.block.append(base, string.count)
    }
}
