/// The bases that were unpacked last, for the deltas that come next: many may build on one, and it may be large.
///
/// The newest is kept whatever its size, as whoever made it had the memory; the others within a number of bytes.
struct BaseCache {
    private struct Item {
        var pack: ObjectIdentifier
        var offset: Int
        var kind: ObjectKind
        var data: ObjectBuffer
    }

    private static let bytesLimit = 16 << 20
    private static let countLimit = 16
    private var items: [Item] = []
    private var bytes = 0

    /// The object whose entry begins at an offset of a pack, if it is here.
    func find(_ pack: StoredPack, _ offset: Int) -> (kind: ObjectKind, data: ObjectBuffer)? {
        let pack = ObjectIdentifier(pack)
        return self.items.last { $0.offset == offset && $0.pack == pack }.map { ($0.kind, $0.data) }
    }

    mutating func insert(_ pack: StoredPack, _ offset: Int, _ kind: ObjectKind, _ data: ObjectBuffer) {
        guard self.find(pack, offset) == nil else { return }
        self.items.append(Item(pack: ObjectIdentifier(pack), offset: offset, kind: kind, data: data))
        self.bytes += data.count
        while self.items.count > 1, self.bytes > Self.bytesLimit || self.items.count > Self.countLimit {
            self.bytes -= self.items.removeFirst().data.count
        }
    }
}
