/// Which part of a tree goes into which layer of an image. Decides; touches no file.
///
/// A layer that is the same as before is neither stored nor sent again, so what rarely changes must not share one with what
/// always does. Dependencies are recognised by the names of the directories that package managers make; other large
/// directories at the top get a layer of their own too.
struct LayerPlan: Equatable, Sendable {
    struct Entry: Sendable {
        var path: TreePath
        var isDirectory: Bool
        var bytes: Int64
    }

    struct Layer: Equatable, Sendable {
        /// The directory that the layer holds; `nil` for the application's layer, which holds the rest.
        var directory: TreePath?
        /// The positions of its entries, the directories above it among them.
        var entries: [Int]
    }

    /// Directories of packages, in whatever directory they are.
    static let dependencyNames: Set<String> = [
        "node_modules", "vendor", ".venv", "venv", "site-packages", ".slipway", ".heroku", ".bundle", ".m2",
    ]
    /// What a directory must have for a layer of its own, if it is known by its name, and otherwise.
    static let (minNamedBytes, minUnnamedBytes): (Int64, Int64) = (256 << 10, 16 << 20)

    /// In the order in which they are unpacked: dependencies by path, then the application.
    private(set) var layers: [Layer]

    /// - Parameters:
    ///   - entries: The tree in its order, each after its directory.
    ///   - limit: How many layers there may be besides the application's. The largest directories get them.
    init(_ entries: [Entry], limit: Int) {
        var found: [(directory: TreePath, range: Range<Int>, bytes: Int64)] = []
        var position = 0
        while position < entries.count {
            defer { position += 1 }
            let entry = entries[position]
            guard entry.isDirectory else { continue }
            let isNamed = Self.dependencyNames.contains(String(decoding: entry.path.name, as: UTF8.self))
            guard isNamed || entry.path.parent == nil else { continue }
            let end = Self.end(of: position, in: entries)
            let bytes = entries[position..<end].reduce(0) { $0 + $1.bytes }
            let hasOwnInside = !isNamed && Self.holdsNamed(entries[(position + 1)..<end])
            guard bytes >= (isNamed ? Self.minNamedBytes : Self.minUnnamedBytes), !hasOwnInside else { continue }
            found.append((entry.path, position..<end, bytes))
            position = end - 1
        }
        // Of equal ones, the first in the tree's order: whatever the sort does, the result is the same.
        let kept = found.indices.sorted { (-found[$0].bytes, $0) < (-found[$1].bytes, $1) }.prefix(max(limit, 0))
            .sorted().map { found[$0] }
        var rest = Array(entries.indices)
        self.layers = []
        for layer in kept {
            let above = entries.indices[..<layer.range.lowerBound].filter {
                entries[$0].isDirectory && layer.directory.isBelow(entries[$0].path)
            }
            self.layers.append(Layer(directory: layer.directory, entries: above + layer.range))
        }
        if !kept.isEmpty { rest.removeAll { position in kept.contains { $0.range.contains(position) } } }
        self.layers.append(Layer(directory: nil, entries: rest))
    }

    private static func end(of directory: Int, in entries: [Entry]) -> Int {
        let path = entries[directory].path
        return entries[(directory + 1)...].firstIndex { !$0.path.isBelow(path) } ?? entries.count
    }

    private static func holdsNamed(_ entries: ArraySlice<Entry>) -> Bool {
        entries.contains {
            $0.isDirectory && self.dependencyNames.contains(String(decoding: $0.path.name, as: UTF8.self))
        }
    }
}
