#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A field in one of HPACK's tables.
struct HPACKEntry {
    /// Where its text starts, in the table's own counting.
    var position: Int
    /// How long its text is: `name: value` and a line end in most tables.
    var length: Int32
    var nameLength: Int32
    var valueLength: Int32
    var kind: HTTP2FieldKind

    /// What it counts for in the dynamic table (RFC 7541, 4.1).
    var size: Int { Int(self.nameLength) + Int(self.valueLength) + 32 }
}

/// The static table of RFC 7541, Appendix A, and every field name that means something to the router.
struct HPACKStaticTable: @unchecked Sendable {
    // Unchecked, because pointers are not Sendable: the memory is written in the initializer alone, before `shared`
    // can be read, and lives as long as the process.

    static let shared = HPACKStaticTable()

    struct Name {
        var position: Int
        var length: Int
        /// The first entry of the static table with this name; 0 when there is none.
        var index: Int
        var kind: HTTP2FieldKind
    }

    static var count: Int { 61 }

    /// The entries 1 to 61 as header lines.
    private let entries: UnsafePointer<HPACKEntry>
    private let text: UnsafeRawPointer
    private let names: UnsafePointer<Name>
    /// By the upper bits of a name's hash: its place in `names` + 1; the next slot when this one is taken.
    private let slots: UnsafePointer<UInt8>

    private init() {
        var text: [UInt8] = []
        let entries = UnsafeMutablePointer<HPACKEntry>.allocate(capacity: Self.count + 1)
        let names = UnsafeMutablePointer<Name>.allocate(capacity: 255)
        let slots = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
        slots.initialize(repeating: 0, count: 256)
        entries.initialize(
            to: HPACKEntry(position: 0, length: 0, nameLength: 0, valueLength: 0, kind: .invalid))
        var known: [String: Name] = [:]
        var ordered: [String] = []
        for (index, field) in Self.fields.enumerated() {
            let kind = Self.kinds[field.0] ?? .other
            let position = text.count
            let line = field.0 + ": " + field.1 + "\r\n"
            text += line.utf8
            (entries + index + 1).initialize(
                to: HPACKEntry(
                    position: position, length: Int32(line.utf8.count), nameLength: Int32(field.0.utf8.count),
                    valueLength: Int32(field.1.utf8.count), kind: kind))
            if known[field.0] == nil {
                known[field.0] = Name(
                    position: position, length: field.0.utf8.count, index: index + 1, kind: kind)
                ordered.append(field.0)
            }
        }
        for (name, kind) in Self.kinds where known[name] == nil {
            known[name] = Name(position: text.count, length: name.utf8.count, index: 0, kind: kind)
            ordered.append(name)
            text += name.utf8
        }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: text.count, alignment: 8)
        text.withUnsafeBytes {
            memory.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(memory), byteCount: $0.count)
        }
        for (place, name) in ordered.enumerated() {
            guard let value = known[name] else { continue }
            (names + place).initialize(to: value)
            var slot = Self.slot(quickHash(memory + value.position, value.length))
            while slots[slot] != 0 { slot = (slot + 1) & 255 }
            slots[slot] = UInt8(place + 1)
        }
        self.entries = UnsafePointer(entries)
        self.text = UnsafeRawPointer(memory)
        self.names = UnsafePointer(names)
        self.slots = UnsafePointer(slots)
    }

    @inline(__always)
    private static func slot(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> 56) }

    /// The entry with an index from 1 to 61.
    @inline(__always)
    subscript(_ index: Int) -> HPACKEntry { self.entries[index] }

    @inline(__always)
    func text(of entry: HPACKEntry) -> UnsafeRawPointer { self.text + entry.position }

    /// What is known of a name in lower case.
    @inline(__always)
    func find(_ name: UnsafeRawPointer, _ length: Int) -> (index: Int, kind: HTTP2FieldKind) {
        var slot = Self.slot(quickHash(name, length))
        while true {
            let place = Int(self.slots[slot])
            if place == 0 { return (0, .other) }
            let candidate = self.names + (place - 1)
            if candidate.pointee.length == length, memcmp(self.text + candidate.pointee.position, name, length) == 0 {
                return (candidate.pointee.index, candidate.pointee.kind)
            }
            slot = (slot &+ 1) & 255
        }
    }

    /// What a name received means; it is checked as well.
    @inline(__always)
    func kind(ofName name: UnsafeRawPointer, _ length: Int) -> HTTP2FieldKind {
        let kind = self.find(name, length).kind
        if kind != .other { return kind }
        if length > 1, name.load(as: UInt8.self) == ByteClass.colon { return .unknownPseudo }
        return HTTP2FieldCheck.isName(name, length) ? .other : .invalid
    }

    /// The names that are more than names.
    private static let kinds: [String: HTTP2FieldKind] = [
        ":method": .method, ":scheme": .scheme, ":path": .path, ":authority": .authority, ":status": .status,
        ":protocol": .protocolName,
        "host": .host, "cookie": .cookie, "content-length": .contentLength, "te": .te,
        "connection": .connectionSpecific, "keep-alive": .connectionSpecific, "proxy-connection": .connectionSpecific,
        "transfer-encoding": .connectionSpecific, "upgrade": .connectionSpecific,
        "sec-websocket-key": .webSocketHandshake, "sec-websocket-accept": .webSocketHandshake,
        "authorization": .secret, "proxy-authorization": .secret, "set-cookie": .secret,
        "date": .fleeting, "age": .fleeting, "etag": .fleeting, "last-modified": .fleeting,
        "x-request-id": .fleeting, "x-request-start": .fleeting,
    ]

    private static let fields: [(String, String)] = [
        (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
        (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
        (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
        ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
        ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""),
        ("cache-control", ""), ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""),
        ("content-length", ""), ("content-location", ""), ("content-range", ""), ("content-type", ""),
        ("cookie", ""), ("date", ""), ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""),
        ("if-match", ""), ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""),
        ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""), ("location", ""), ("max-forwards", ""),
        ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""), ("referer", ""), ("refresh", ""),
        ("retry-after", ""), ("server", ""), ("set-cookie", ""), ("strict-transport-security", ""),
        ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""), ("www-authenticate", ""),
    ]
}
