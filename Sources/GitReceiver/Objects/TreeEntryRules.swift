#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Which names and modes a tree may hold, so that a checkout of it is harmless on every file system.
enum TreeEntryRules {
    /// Why a name is refused, or nil.
    static func refusal(ofName name: UnsafeRawBufferPointer) -> String? {
        guard let first = name.first else { return "an empty name" }
        // Nearly all names end here: what costs more can only apply to those with one of these.
        var isPlain = first != UInt8(ascii: ".") && first | 0x20 != UInt8(ascii: "g")
        for byte in name {
            if byte == UInt8(ascii: "/") { return "a name with a slash" }
            if byte >= 0x80 || byte == 0x5C { isPlain = false }
        }
        if isPlain { return nil }
        if name.elementsEqual(".".utf8) || name.elementsEqual("..".utf8) { return "the name . or .." }
        return Self.isDotGit(name) ? "a name that some file systems take for .git" : nil
    }

    /// Whether Windows or macOS would take a name for `.gitmodules`, whose contents git programs follow.
    static func isDotGitmodules(_ name: UnsafeRawBufferPointer) -> Bool {
        let visible = Self.visible(name)
        let stem = String(visible.prefix { $0 != ":" }.reversed().drop { $0 == "." || $0 == " " }.reversed())
        // NTFS abbreviates to gitmod~1 to ~4, then to gi7eba~N and shorter.
        return stem == ".gitmodules" || stem.hasPrefix("gitmod~") || stem.hasPrefix("gi7eba~")
            || stem.hasPrefix("gi7eb~") || stem.hasPrefix("gi7e~") || stem.hasPrefix("gi7~")
    }

    /// A name in lower case, without the code points that HFS+ ignores. Decoding repairs what is not UTF-8, which HFS+
    /// would refuse anyway.
    private static func visible(_ name: UnsafeRawBufferPointer) -> String {
        let scalars = String(decoding: name, as: UTF8.self).unicodeScalars.filter { scalar in
            switch scalar.value {
            case 0x200C...0x200F, 0x202A...0x202E, 0x206A...0x206F, 0xFEFF: false
            default: true
            }
        }
        return String(String.UnicodeScalarView(scalars)).lowercased()
    }

    /// Whether Windows or macOS would take a name for `.git`.
    static func isDotGit(_ name: UnsafeRawBufferPointer) -> Bool {
        if Self.visible(name) == ".git" { return true }
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
    var name: UnsafeRawBufferPointer
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
    private let data: UnsafeRawBufferPointer
    private var position = 0
    private let tree: ObjectID

    init(_ data: UnsafeRawBufferPointer, tree: ObjectID) {
        self.data = data
        self.tree = tree
    }

    mutating func next() throws(GitReceiverError) -> TreeEntry? {
        if self.position == self.data.count { return nil }
        let kind = try self.kind()
        let start = self.position
        var end = start
        while end < self.data.count, self.data[end] != 0 { end += 1 }
        guard self.data.count - end > 20 else { throw self.malformed }
        let name = UnsafeRawBufferPointer(rebasing: self.data[start..<end])
        let oid = ObjectID(raw: self.data, at: end + 1)
        self.position = end + 21
        if let refusal = TreeEntryRules.refusal(ofName: name) {
            throw GitReceiverError(.corrupt, "tree \(self.tree) has \(refusal)")
        }
        return TreeEntry(kind: kind, name: name, oid: oid)
    }

    private var malformed: GitReceiverError { GitReceiverError(.corrupt, "tree \(self.tree) is malformed") }

    /// Reads the mode and the space after it.
    private mutating func kind() throws(GitReceiverError) -> TreeEntry.Kind {
        var value = 0
        let start = self.position
        while true {
            guard self.position < self.data.count, self.position - start < 8 else { throw self.malformed }
            let digit = self.data[self.position]
            self.position += 1
            if digit == UInt8(ascii: " ") { break }
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
/// set apart (`a`, `a.b`, `a/`). For the names of one tree, whose bytes have to stay.
struct TreeOrder {
    private var previous = UnsafeRawBufferPointer(start: nil, count: 0)
    private var previousIsDirectory = true
    /// Names of files that a later directory could still repeat; each begins with the one before it.
    private var candidates: [UnsafeRawBufferPointer] = []

    /// Whether the next entry may follow.
    mutating func accepts(_ name: UnsafeRawBufferPointer, isDirectory: Bool) -> Bool {
        if !self.previous.isEmpty {
            guard Self.isOrdered(self.previous, self.previousIsDirectory, name, isDirectory) else { return false }
            while let last = self.candidates.last, !Self.begins(name, with: last) { self.candidates.removeLast() }
            if !self.previousIsDirectory, Self.begins(name, with: self.previous) {
                self.candidates.append(self.previous)
            }
        }
        (self.previous, self.previousIsDirectory) = (name, isDirectory)
        return !isDirectory || !self.candidates.contains { $0.count == name.count }
    }

    private static func begins(_ name: UnsafeRawBufferPointer, with start: UnsafeRawBufferPointer) -> Bool {
        guard name.count >= start.count else { return false }
        guard let one = name.baseAddress, let other = start.baseAddress else { return true }
        return memcmp(one, other, start.count) == 0
    }

    /// Git compares directories as if a slash ended them.
    private static func isOrdered(
        _ one: UnsafeRawBufferPointer, _ oneIsDirectory: Bool, _ other: UnsafeRawBufferPointer, _ otherIsDirectory: Bool
    ) -> Bool {
        let common = min(one.count, other.count)
        if let first = one.baseAddress, let second = other.baseAddress, case let result = memcmp(first, second, common),
            result != 0
        {
            return result < 0
        }
        let slash = Int(UInt8(ascii: "/"))
        let first = one.count > common ? Int(one[common]) : oneIsDirectory ? slash : 0
        let second = other.count > common ? Int(other[common]) : otherIsDirectory ? slash : 0
        if first != second { return first < second }
        // Both went on with a slash, which only one of them has to write: the other is over.
        return one.count < other.count
    }
}
