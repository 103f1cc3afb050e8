/// A path relative to the root of a tree, as bytes: names on disk need not be UTF-8, and a slug keeps them as they are.
///
/// It has no leading or trailing slash and no component that is empty, `.` or `..`.
struct TreePath: Hashable, Sendable, CustomStringConvertible {
    static let slash = UInt8(ascii: "/")

    let bytes: [UInt8]

    /// Takes bytes that are known to be a clean relative path.
    init(unchecked bytes: [UInt8]) { self.bytes = bytes }

    /// Checks stored or received bytes.
    init?(checking bytes: some Collection<UInt8>) {
        guard !bytes.contains(0) else { return nil }
        for component in bytes.split(separator: Self.slash, omittingEmptySubsequences: false)
        where component.isEmpty || component.elementsEqual([0x2e]) || component.elementsEqual([0x2e, 0x2e]) {
            return nil
        }
        self.bytes = Array(bytes)
    }

    /// All bytes at once, where an array hashes one after the other.
    func hash(into hasher: inout Hasher) { self.bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }

    var components: [ArraySlice<UInt8>] { self.bytes.split(separator: Self.slash) }

    var name: ArraySlice<UInt8> {
        self.bytes[(self.bytes.lastIndex(of: Self.slash).map { $0 + 1 } ?? 0)...]
    }

    var parent: TreePath? {
        self.bytes.lastIndex(of: Self.slash).map { TreePath(unchecked: Array(self.bytes[..<$0])) }
    }

    func appending(_ name: some Collection<UInt8>) -> TreePath {
        var bytes = self.bytes
        bytes.reserveCapacity(bytes.count + 1 + name.count)
        bytes.append(Self.slash)
        bytes.append(contentsOf: name)
        return TreePath(unchecked: bytes)
    }

    /// Whether it is in that directory, or in one of its directories.
    func isBelow(_ directory: TreePath) -> Bool {
        self.bytes.count > directory.bytes.count && self.bytes[directory.bytes.count] == Self.slash
            && self.bytes.starts(with: directory.bytes)
    }

    /// The order of a manifest: a directory, then all it holds, then its next sibling. It is the order of the bytes, with
    /// the slash counted below all other bytes.
    static func precedes(_ lhs: TreePath, _ rhs: TreePath) -> Bool {
        let count = min(lhs.bytes.count, rhs.bytes.count)
        for index in 0..<count {
            let (left, right) = (lhs.bytes[index], rhs.bytes[index])
            if left == right { continue }
            if left == Self.slash { return true }
            if right == Self.slash { return false }
            return left < right
        }
        return lhs.bytes.count < rhs.bytes.count
    }

    /// For messages: what is not UTF-8 or not printable is shown as an escape.
    var description: String { printable(self.bytes) }
}

/// Bytes as they can be shown in a message, a log or a terminal without doing harm there: with control characters, which terminals
/// obey, as escapes.
package func printable(_ bytes: some Collection<UInt8>) -> String {
    if let text = String(validating: bytes, as: UTF8.self),
        text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
    {
        return text
    }
    return bytes.reduce(into: "") { text, byte in
        if (0x20..<0x7f).contains(byte) {
            text.unicodeScalars.append(Unicode.Scalar(byte))
        } else {
            text += "\\x" + (byte < 0x10 ? "0" : "") + String(byte, radix: 16)
        }
    }
}
