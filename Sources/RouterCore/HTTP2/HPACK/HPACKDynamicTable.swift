/// HPACK's dynamic table: first in, first out, bounded by what its fields count for (RFC 7541, section 4).
///
/// The fields' texts lie one after the other in one piece of memory and are moved to its start when its end is
/// reached; it is twice as large as needed, so that each byte is moved about once.
struct HPACKDynamicTable: ~Copyable {
    private var text: UnsafeMutableRawPointer
    private var textCapacity = 0
    /// The positions that the memory's start and the end of the last text have, counted from the first text ever.
    private var textBase = 0
    private var textEnd = 0

    /// A ring: the entry with number n is at n & mask.
    private var entries: UnsafeMutablePointer<HPACKEntry>
    private var mask = -1

    /// How many fields have been inserted ever, and how many of them are gone.
    private(set) var inserted = 0
    private(set) var evicted = 0
    private(set) var size = 0
    private(set) var maximumSize: Int

    init(maximumSize: Int) {
        self.maximumSize = maximumSize
        self.text = .allocate(byteCount: 0, alignment: 8)
        self.entries = .allocate(capacity: 0)
    }

    deinit {
        self.text.deallocate()
        self.entries.deallocate()
    }

    var count: Int { self.inserted &- self.evicted }

    /// The field with this number in the order of insertion, which must still be there.
    @inline(__always)
    subscript(number: Int) -> HPACKEntry { self.entries[number & self.mask] }

    @inline(__always)
    func text(of entry: HPACKEntry) -> UnsafeRawPointer {
        UnsafeRawPointer(self.text + (entry.position &- self.textBase))
    }

    mutating func setMaximumSize(_ size: Int) {
        self.maximumSize = size
        self.makeRoom(0)
    }

    /// Inserts a field whose text is `name: value` and a line end. Neither pointer may point into this table.
    @inline(__always)
    mutating func insert(
        name: UnsafeRawPointer, _ nameLength: Int, value: UnsafeRawPointer, _ valueLength: Int, kind: HTTP2FieldKind
    ) {
        let length = nameLength &+ valueLength &+ 4
        guard let target = self.append(length, nameLength, valueLength, kind) else { return }
        target.copyMemory(from: name, byteCount: nameLength)
        target.storeBytes(of: UInt16(0x3A20).bigEndian, toByteOffset: nameLength, as: UInt16.self)
        (target + (nameLength &+ 2)).copyMemory(from: value, byteCount: valueLength)
        target.storeBytes(of: UInt16(0x0D0A).bigEndian, toByteOffset: length &- 2, as: UInt16.self)
    }

    /// Inserts a field under the text that it was read from.
    @inline(__always)
    mutating func insert(key: UnsafeRawPointer, _ length: Int, nameLength: Int, valueLength: Int) {
        guard let target = self.append(length, nameLength, valueLength, .other) else { return }
        target.copyMemory(from: key, byteCount: length)
    }

    /// Makes the entry and returns where its text goes; nil when it is larger than the whole table, which is thereby
    /// emptied (RFC 7541, 4.4).
    private mutating func append(
        _ length: Int, _ nameLength: Int, _ valueLength: Int, _ kind: HTTP2FieldKind
    ) -> UnsafeMutableRawPointer? {
        let entry = HPACKEntry(
            position: 0, length: Int32(truncatingIfNeeded: length), nameLength: Int32(truncatingIfNeeded: nameLength),
            valueLength: Int32(truncatingIfNeeded: valueLength), kind: kind)
        self.makeRoom(entry.size)
        guard entry.size <= self.maximumSize else { return nil }
        if self.textEnd &- self.textBase &+ length > self.textCapacity { self.moveTexts(length) }
        if self.count > self.mask { self.growEntries() }
        let place = self.entries + (self.inserted & self.mask)
        place.pointee = entry
        place.pointee.position = self.textEnd
        let target = self.text + (self.textEnd &- self.textBase)
        self.textEnd &+= length
        self.inserted &+= 1
        self.size &+= entry.size
        return target
    }

    private mutating func makeRoom(_ needed: Int) {
        while self.size &+ needed > self.maximumSize, self.count > 0 {
            self.size &-= self.entries[self.evicted & self.mask].size
            self.evicted &+= 1
        }
    }

    @inline(never)
    private mutating func moveTexts(_ needed: Int) {
        let start = self.count > 0 ? self.entries[self.evicted & self.mask].position : self.textEnd
        let live = self.textEnd - start
        let source = self.text + (start - self.textBase)
        if (live + needed) * 2 <= self.textCapacity {
            self.text.copyMemory(from: source, byteCount: live)
        } else {
            self.textCapacity = max(512, (live + needed) * 2)
            let memory = UnsafeMutableRawPointer.allocate(byteCount: self.textCapacity, alignment: 8)
            memory.copyMemory(from: source, byteCount: live)
            self.text.deallocate()
            self.text = memory
        }
        self.textBase = start
    }

    @inline(never)
    private mutating func growEntries() {
        let capacity = max(16, (self.mask + 1) * 2)
        let larger = UnsafeMutablePointer<HPACKEntry>.allocate(capacity: capacity)
        larger.initialize(
            repeating: HPACKEntry(position: 0, length: 0, nameLength: 0, valueLength: 0, kind: .other),
            count: capacity)
        for number in self.evicted..<self.inserted {
            larger[number & (capacity - 1)] = self.entries[number & self.mask]
        }
        self.entries.deallocate()
        self.entries = larger
        self.mask = capacity - 1
    }
}
