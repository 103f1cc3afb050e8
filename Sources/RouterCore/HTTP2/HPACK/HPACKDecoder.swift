/// Why a header block cannot be decoded; the connection cannot go on then, because the peers' tables may differ.
enum HPACKError: Error, Equatable {
    case truncated, integer, huffman, index, sizeUpdate
}

/// A decoded field. The pointers are valid until the decoder's next call, and as long as the block is.
struct HPACKField {
    var name: UnsafeRawPointer
    var nameLength: Int
    var value: UnsafeRawPointer
    var valueLength: Int
    var kind: HTTP2FieldKind
    /// Whether `: ` lies between name and value, and a line end behind it, so that all can be copied at once.
    var isLine: Bool
}

/// Takes header blocks apart, field by field (RFC 7541).
///
/// Names and values are checked when they are first seen: an entry of a table is valid, or known not to be.
struct HPACKDecoder: ~Copyable {
    private var table: HPACKDynamicTable
    private let known = HPACKStaticTable.shared
    private let huffman = HPACKHuffman.shared
    private var scratch = ScratchBytes()
    /// The table size that the peer may use at most; a peer that uses more has to say first that it uses less.
    private var allowedSize: Int
    private var mayUpdateSize = true

    init(tableSize: Int) {
        self.table = HPACKDynamicTable(maximumSize: tableSize)
        self.allowedSize = tableSize
    }

    var tableSize: Int { self.table.size }
    var tableCount: Int { self.table.count }

    /// The peer has taken note of another table size.
    mutating func allow(tableSize: Int) { self.allowedSize = tableSize }

    /// A header block starts.
    mutating func begin() {
        self.mayUpdateSize = true
        self.scratch.clear()
    }

    /// The field at `position`, which is moved behind it; nil at the end of the block.
    @inline(__always)
    mutating func next(_ block: UnsafeRawBufferPointer, _ position: inout Int) throws(HPACKError) -> HPACKField? {
        while position < block.count {
            let first = block[position]
            if first & 0x80 != 0 {
                guard let index = HPACKInteger.read(block, &position, prefix: 7) else { throw .integer }
                try self.endUpdates()
                return try self.indexed(index)
            }
            if first & 0xE0 == 0x20 {
                try self.updateSize(block, &position)
                continue
            }
            try self.endUpdates()
            return try self.literal(block, &position, isIndexed: first & 0x40 != 0)
        }
        try self.endUpdates()
        return nil
    }

    @inline(__always)
    private mutating func endUpdates() throws(HPACKError) {
        self.mayUpdateSize = false
        // RFC 7541, 4.2: after the limit was lowered, the next block must begin with an update.
        guard self.table.maximumSize <= self.allowedSize else { throw .sizeUpdate }
    }

    private mutating func updateSize(_ block: UnsafeRawBufferPointer, _ position: inout Int) throws(HPACKError) {
        guard let size = HPACKInteger.read(block, &position, prefix: 5) else { throw .integer }
        guard self.mayUpdateSize, size <= self.allowedSize else { throw .sizeUpdate }
        self.table.setMaximumSize(size)
    }

    /// The number of an entry of the dynamic table in the order of insertion.
    @inline(__always)
    private func number(_ index: Int) throws(HPACKError) -> Int {
        let age = index &- HPACKStaticTable.count
        guard age > 0, age <= self.table.count else { throw .index }
        return self.table.inserted &- age
    }

    @inline(__always)
    private func indexed(_ index: Int) throws(HPACKError) -> HPACKField {
        if index <= HPACKStaticTable.count {
            guard index > 0 else { throw .index }
            let entry = self.known[index]
            return Self.field(entry, self.known.text(of: entry))
        }
        let entry = self.table[try self.number(index)]
        return Self.field(entry, self.table.text(of: entry))
    }

    @inline(__always)
    private static func field(_ entry: HPACKEntry, _ text: UnsafeRawPointer) -> HPACKField {
        HPACKField(
            name: text, nameLength: Int(entry.nameLength), value: text + Int(entry.nameLength) + 2,
            valueLength: Int(entry.valueLength), kind: entry.kind, isLine: true)
    }

    private mutating func literal(
        _ block: UnsafeRawBufferPointer, _ position: inout Int, isIndexed: Bool
    ) throws(HPACKError) -> HPACKField {
        guard let index = HPACKInteger.read(block, &position, prefix: isIndexed ? 6 : 4) else { throw .integer }
        self.scratch.count = 0
        var name: Text
        var kind: HTTP2FieldKind
        if index == 0 {
            name = try self.string(block, &position)
            kind = self.known.kind(ofName: self.pointer(name), name.length)
        } else if index <= HPACKStaticTable.count {
            let entry = self.known[index]
            name = Text(pointer: self.known.text(of: entry), length: Int(entry.nameLength))
            kind = entry.kind
        } else {
            let entry = self.table[try self.number(index)]
            name = Text(pointer: self.table.text(of: entry), length: Int(entry.nameLength))
            kind = entry.kind
            // The entry may have to go to make room for this field.
            if isIndexed { name = self.keep(name) }
            // It may be its value that is invalid.
            if kind == .invalid { kind = self.known.kind(ofName: self.pointer(name), name.length) }
        }
        let value = try self.string(block, &position)
        let field = HPACKField(
            name: self.pointer(name), nameLength: name.length, value: self.pointer(value), valueLength: value.length,
            kind: kind, isLine: false)
        let isValid = HTTP2FieldCheck.isValue(field.value, field.valueLength)
        guard isIndexed else { return isValid ? field : Self.invalid(field) }
        self.table.insert(
            name: field.name, field.nameLength, value: field.value, field.valueLength,
            kind: isValid ? kind : .invalid)
        return isValid ? field : Self.invalid(field)
    }

    private static func invalid(_ field: HPACKField) -> HPACKField {
        var field = field
        field.kind = .invalid
        return field
    }

    /// A string, in the block or in a table; or in the scratch bytes, which may yet move.
    private struct Text {
        var pointer: UnsafeRawPointer?
        var offset = 0
        var length: Int
    }

    @inline(__always)
    private func pointer(_ text: Text) -> UnsafeRawPointer {
        text.pointer ?? UnsafeRawPointer(self.scratch.base + text.offset)
    }

    private mutating func keep(_ text: Text) -> Text {
        guard let pointer = text.pointer else { return text }
        let offset = self.scratch.count
        self.scratch.append(pointer, text.length)
        return Text(pointer: nil, offset: offset, length: text.length)
    }

    @inline(__always)
    private mutating func string(
        _ block: UnsafeRawBufferPointer, _ position: inout Int
    ) throws(HPACKError) -> Text {
        guard position < block.count, let base = block.baseAddress else { throw .truncated }
        let isCoded = block[position] & 0x80 != 0
        guard let length = HPACKInteger.read(block, &position, prefix: 7) else { throw .integer }
        guard length <= block.count &- position else { throw .truncated }
        let start = base + position
        position &+= length
        guard isCoded else { return Text(pointer: start, length: length) }
        let offset = self.scratch.count
        self.scratch.reserve(HPACKHuffman.decodedLimit(length))
        guard let decoded = self.huffman.decode(start, length, into: self.scratch.base + offset) else {
            throw .huffman
        }
        self.scratch.count = offset &+ decoded
        return Text(pointer: nil, offset: offset, length: decoded)
    }
}
