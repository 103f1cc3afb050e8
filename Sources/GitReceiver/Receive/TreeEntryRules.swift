/// Which names and modes a tree may hold, so that a checkout of it is harmless on every file system.
enum TreeEntryRules {
    /// Why a name is refused, or nil.
    static func refusal(ofName name: some BidirectionalCollection<UInt8>) -> String? {
        if name.isEmpty { return "an empty name" }
        if name.elementsEqual(".".utf8) || name.elementsEqual("..".utf8) { return "the name . or .." }
        if name.contains(UInt8(ascii: "/")) { return "a name with a slash" }
        // The rest costs more, and can only apply to names with one of these.
        guard name.contains(where: { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "~") || $0 == 0x5C }) else {
            return nil
        }
        return Self.isDotGit(name) ? "a name that some file systems take for .git" : nil
    }

    /// Whether Windows or macOS would take a name for `.git`.
    static func isDotGit(_ name: some BidirectionalCollection<UInt8>) -> Bool {
        // HFS+ ignores these code points; decoding repairs what is not UTF-8, which HFS+ would refuse anyway.
        let scalars = String(decoding: name, as: UTF8.self).unicodeScalars.filter { scalar in
            switch scalar.value {
            case 0x200C...0x200F, 0x202A...0x202E, 0x206A...0x206F, 0xFEFF: false
            default: true
            }
        }
        if String(String.UnicodeScalarView(scalars)).lowercased() == ".git" { return true }
        // NTFS separates at backslashes, streams at colons, and drops dots and spaces at the end.
        return name.split(separator: 0x5C).contains { component in
            var part = Array(component.prefix { $0 != UInt8(ascii: ":") })
            while let last = part.last, last == UInt8(ascii: ".") || last == UInt8(ascii: " ") { part.removeLast() }
            let lower = part.map { (65...90).contains($0) ? $0 + 32 : $0 }
            return lower.elementsEqual(".git".utf8) || lower.elementsEqual("git~1".utf8)
        }
    }
}

/// One entry of a raw tree.
struct TreeEntry {
    enum Kind { case directory, file, executable, link, submodule }

    var kind: Kind
    /// The bytes of the name within the tree.
    var name: Slice<UnsafeRawBufferPointer>
    var oid: ObjectID

    /// The kind of object an entry names, or nil for a submodule, whose commit is elsewhere.
    var target: ObjectKind? {
        switch self.kind {
        case .directory: .tree
        case .file, .executable, .link: .blob
        case .submodule: nil
        }
    }
}

/// Reads a raw tree. Every fault is an error that says what is wrong with it.
struct TreeReader: ~Copyable {
    private var rest: Slice<UnsafeRawBufferPointer>
    private let tree: ObjectID

    init(_ data: UnsafeRawBufferPointer, tree: ObjectID) {
        self.rest = data[...]
        self.tree = tree
    }

    mutating func next() throws(GitReceiverError) -> TreeEntry? {
        if self.rest.isEmpty { return nil }
        guard let space = self.rest.prefix(8).firstIndex(of: UInt8(ascii: " ")),
            let zero = self.rest[space...].firstIndex(of: 0), self.rest.endIndex - zero > 20,
            let oid = ObjectID(raw: self.rest[zero + 1..<zero + 21])
        else { throw GitReceiverError(.corrupt, "tree \(self.tree) is malformed") }
        let name = self.rest[space + 1..<zero]
        let kind = try self.kind(self.rest[..<space])
        self.rest = self.rest[(zero + 21)...]
        if let refusal = TreeEntryRules.refusal(ofName: name) {
            throw GitReceiverError(.corrupt, "tree \(self.tree) has \(refusal)")
        }
        return TreeEntry(kind: kind, name: name, oid: oid)
    }

    private func kind(_ mode: Slice<UnsafeRawBufferPointer>) throws(GitReceiverError) -> TreeEntry.Kind {
        var value = 0
        for digit in mode {
            guard (48...55).contains(digit) else {
                throw GitReceiverError(.corrupt, "tree \(self.tree) has a malformed mode")
            }
            value = value << 3 | Int(digit - 48)
        }
        switch value {
        case 0o040000: return .directory
        // Group-writable files are an old habit of git that histories still hold.
        case 0o100644, 0o100664: return .file
        case 0o100755: return .executable
        case 0o120000: return .link
        case 0o160000: return .submodule
        default: throw GitReceiverError(.corrupt, "tree \(self.tree) has the unknown mode \(String(value, radix: 8))")
        }
    }
}

/// Notices names that come twice or in the wrong order, also a file and a directory of one name, which git's order may
/// set apart (`a`, `a.b`, `a/`).
struct TreeOrder {
    private var previous: [UInt8] = []
    /// Names of files that a later directory could still repeat; each begins with the one before it.
    private var candidates: [[UInt8]] = []

    /// Whether the next entry may follow.
    mutating func accepts(_ name: some Collection<UInt8>, isDirectory: Bool) -> Bool {
        // Git compares directories as if a slash ended them.
        let bytes = Array(name)
        let key = isDirectory ? bytes + [UInt8(ascii: "/")] : bytes
        guard self.previous.isEmpty || self.previous.lexicographicallyPrecedes(key) else { return false }
        self.previous = key
        while let last = self.candidates.last, !bytes.starts(with: last) { self.candidates.removeLast() }
        if isDirectory { return !self.candidates.contains(bytes) }
        self.candidates.append(bytes)
        return true
    }
}
