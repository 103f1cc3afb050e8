import SystemPackage

/// Makes a pack, piece by piece, by copying what lies in packs on disk. A value that holds numbers and open files, no
/// contents, so that one which waits for a slow client costs little.
///
/// Each copied entry is checked against the checksum of its index while it passes, and each object that is made anew
/// against its name: a bit that has flipped on the disk is an error here and goes no further.
struct PackAssembly: Sendable {
    struct Options: Sendable {
        /// Whether bases are told by how far back they are; otherwise by name.
        var usesOffsets = true
        /// Whether the entries' checksums are wanted, for an index.
        var sums = false
        /// How long it may take altogether to make objects anew, and the clock for that.
        var makingTime: Duration
        var clock: any Clock<Duration>
        /// Where a large object that was made anew waits until it is sent.
        var spoolDirectory: FilePath
        /// Whether packs stay open until the end, because their files may be removed before.
        var keepsOpen = false
    }

    private enum Work: Sendable {
        case header
        case entries
        /// The rest of a copied entry: how much was read of it, and the checksum of that.
        case copy(Int32, done: Int, crc: CRC32)
        case spool(PackSpool)
        case trailer, end
    }

    /// Reads an object that is in no pack.
    typealias Loose = (ObjectID) throws(GitReceiverError) -> (kind: ObjectKind, data: ObjectBuffer)

    /// About how many bytes a piece has; never more than twice that and a header, so that the slowest client for which there is
    /// a place can take one in time.
    static let pieceSize = 1 << 18

    let contents: PackContents
    let plan: PackPlan
    private let options: Options
    private var work = Work.header
    /// The place in the plan's order.
    private var place = 0
    /// The bytes before the current piece.
    private var written = 0
    /// Where each object begins in the new pack.
    private(set) var starts: [Int]
    /// The checksum of each object's bytes in the new pack, if asked for.
    private(set) var sums: [CRC32]
    private var checksum = StreamChecksum()
    private(set) var trailer: [UInt8] = []
    /// The pack that was read last.
    private var current: Int32 = -1
    /// The time that was spent on making objects anew.
    private var made = Duration.zero

    init(_ contents: PackContents, depthLimit: Int, options: Options) {
        self.contents = contents
        self.plan = PackPlan(bases: contents.bases, preferred: contents.diskOrder, depthLimit: depthLimit)
        self.options = options
        self.starts = Array(repeating: 0, count: contents.objects.count)
        self.sums = Array(repeating: CRC32(), count: options.sums ? contents.objects.count : 0)
    }

    /// The next bytes; none at the end.
    ///
    /// - Parameter check: asked for each entry, and often while one is made anew; what it throws ends the work.
    mutating func next(
        loose: Loose, check: () throws(GitReceiverError) -> Void
    ) throws(GitReceiverError) -> [UInt8] {
        // For this piece alone: nothing large waits for a client.
        var bases = BaseCache()
        var piece: [UInt8] = []
        piece.reserveCapacity(Self.pieceSize + Self.pieceSize / 4)
        var window: (pack: Int32, bytes: PackWindow)?
        while piece.count < Self.pieceSize {
            try check()
            switch self.work {
            case .header:
                piece += Array("PACK".utf8) + [0, 0, 0, 2]
                piece += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: self.plan.order.count >> $0) }
                self.work = .entries
            case .entries:
                guard self.place < self.plan.order.count else {
                    self.work = .trailer
                    continue
                }
                let number = self.plan.order[self.place]
                self.starts[Int(number)] = self.written + piece.count
                if self.plan.methods[Int(number)] == .whole {
                    try self.addWhole(number, to: &piece, &bases, loose, check)
                } else {
                    self.work = .copy(number, done: 0, crc: CRC32())
                }
            case .copy(let number, let done, let crc):
                let pack = self.contents.entries[Int(number)].pack
                self.turn(to: pack)
                if window?.pack != pack { window = (pack, PackWindow(self.contents.packs[Int(pack)])) }
                try self.copy(number, done, crc, from: &window!.bytes, to: &piece)
            case .spool(let spool):
                let bytes = try spool.read()
                if bytes.isEmpty {
                    self.advance()
                } else {
                    bytes.withUnsafeBytes { self.append($0, of: self.plan.order[self.place], to: &piece) }
                }
            case .trailer:
                self.turn(to: -1)
                piece.withUnsafeBytes { self.checksum.update($0) }
                self.trailer = self.checksum.finish()
                self.work = .end
                return piece + self.trailer
            case .end: return piece
            }
        }
        piece.withUnsafeBytes { self.checksum.update($0) }
        self.written += piece.count
        return piece
    }

    /// Lets go of the file of the pack before, if it need not stay open.
    private mutating func turn(to pack: Int32) {
        if self.current >= 0, self.current != pack, !self.options.keepsOpen {
            self.contents.packs[Int(self.current)].close()
        }
        self.current = pack
    }

    private mutating func advance() {
        self.place += 1
        self.work = .entries
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer, of number: Int32, to piece: inout [UInt8]) {
        piece.append(contentsOf: bytes)
        if self.options.sums { self.sums[Int(number)].update(bytes) }
    }

    /// Copies an entry or, if it is a large one, a part of it.
    private mutating func copy(
        _ number: Int32, _ done: Int, _ crc: CRC32, from window: inout PackWindow, to piece: inout [UInt8]
    ) throws(GitReceiverError) {
        let entry = self.contents.entries[Int(number)]
        let left = entry.count - done
        let count = min(left, Self.pieceSize)
        var crc = crc
        try window.withBytes(at: entry.offset + done, least: count, wanted: done > 0 ? count : self.run(of: entry)) {
            bytes throws(GitReceiverError) in
            let bytes = UnsafeRawBufferPointer(rebasing: bytes[..<count])
            crc.update(bytes)
            var skipped = 0
            if done == 0 {
                guard let old = try PackEntryHeader(bytes) else { throw self.damaged(number) }
                skipped = old.count
                self.header(old, of: number).withUnsafeBytes { self.append($0, of: number, to: &piece) }
            }
            self.append(UnsafeRawBufferPointer(rebasing: bytes[skipped...]), of: number, to: &piece)
        }
        if count < left {
            self.work = .copy(number, done: done + count, crc: crc)
        } else {
            guard crc.value == entry.crc else { throw self.damaged(number) }
            self.advance()
        }
    }

    /// How many bytes to read at once, so that entries that follow each other on the disk need one read.
    private func run(of first: PackContents.Entry) -> Int {
        var end = first.offset + first.count
        for number in self.plan.order[(self.place + 1)...] {
            let entry = self.contents.entries[Int(number)]
            guard entry.pack == first.pack, entry.offset >= end, entry.offset - end < 4096,
                entry.offset + entry.count - first.offset <= Self.pieceSize
            else { break }
            end = entry.offset + entry.count
        }
        return end - first.offset
    }

    /// The header that a copied entry gets: its base is somewhere else now.
    private func header(_ old: PackEntryHeader, of number: Int32) -> [UInt8] {
        var content = old.content
        switch self.contents.bases[Int(number)] {
        case .sent(let base) where self.options.usesOffsets:
            content = .place(self.starts[Int(number)] - self.starts[Int(base)])
        case .sent(let base): content = .name(self.contents.objects[Int(base)])
        case .held: if let base = self.contents.heldBases[number] { content = .name(base) }
        case .none, .absent, .loose: break
        }
        return PackEntryHeader.encode(content, size: old.size)
    }

    /// Adds an object that cannot be copied.
    private mutating func addWhole(
        _ number: Int32, to piece: inout [UInt8], _ bases: inout BaseCache, _ loose: Loose,
        _ check: () throws(GitReceiverError) -> Void
    ) throws(GitReceiverError) {
        let stopwatch = Stopwatch(self.options.clock)
        let left = self.options.makingTime - self.made
        defer { self.made += stopwatch.elapsed() }
        func checkTime() throws(GitReceiverError) {
            try check()
            guard stopwatch.elapsed() <= left else {
                throw GitReceiverError(
                    .deadlineExceeded,
                    "To pack objects anew took longer than \(self.options.makingTime.components.seconds) seconds.")
            }
        }
        try checkTime()
        let entry = self.contents.entries[Int(number)]
        let kind: ObjectKind
        let data: ObjectBuffer
        if entry.pack >= 0 {
            self.turn(to: entry.pack)
            (kind, data) = try self.contents.packs[Int(entry.pack)].object(
                at: entry.offset, bases: &bases, check: checkTime)
        } else {
            (kind, data) = try loose(self.contents.objects[Int(number)])
        }
        guard StreamChecksum.name(kind, data.bytes) == self.contents.objects[Int(number)] else {
            throw self.damaged(number)
        }
        let header = PackEntryHeader.encode(.whole(kind), size: data.count)
        if data.count < Self.pieceSize {
            (header + data.deflated()).withUnsafeBytes { self.append($0, of: number, to: &piece) }
            self.advance()
        } else {
            let spool = try PackSpool(in: self.options.spoolDirectory, limit: .max)
            _ = header.withUnsafeBytes { spool.append($0) }
            try data.deflate { bytes throws(GitReceiverError) in
                try checkTime()
                if !spool.append(bytes) { try spool.rewind() }
            }
            try spool.rewind()
            self.work = .spool(spool)
        }
    }

    private func damaged(_ number: Int32) -> GitReceiverError {
        GitReceiverError(
            .corrupt,
            "The object \(self.contents.objects[Int(number)]) is damaged on the server's disk: its checksum is wrong.")
    }
}
