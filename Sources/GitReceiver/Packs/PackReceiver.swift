import SystemPackage

/// Takes a pack in pieces, stores it, and names and judges each object in the moment in which its bytes are there: every
/// byte is unpacked once, hashed once and read once, where libgit2's indexer and a check after it do so two or three times.
/// For one thread at a time; ``PackIntake`` keeps it behind a lock.
///
/// A delta is applied as soon as it comes if its base is still in memory. The others wait for ``finish(objects:isOver:)``,
/// which goes from each base to all that builds on it, so that no chain is walked twice.
final class PackReceiver {
    /// One object as the pack has it.
    struct Entry {
        var offset: Int
        var crc = CRC32()
        /// The unpacked size: of the delta, for a delta.
        var size: Int
        /// Where the packed bytes begin, from `offset`.
        var header: Int
        /// The base's place in the pack, or -1.
        var base: Int32 = -1
        /// The object's row in the table, or -1 while it is not known.
        var number: Int32 = -1
        /// How many deltas have to be applied.
        var depth: Int32 = 0
    }

    enum State { case header, entry, data(PackEntryHeader), trailer }

    let directory: FilePath
    let limits: GitServer.Configuration.Limits
    let file: PackFile
    let inflater: Inflater
    /// For reading again.
    var buffer = [UInt8](repeating: 0, count: 1 << 13)
    private let expected: Int
    var state = State.header
    /// The bytes of a header or trailer that has not come to its end.
    var partial: [UInt8] = []
    var entries: [Entry] = []
    var judge: ObjectJudge
    var cache: ObjectCache
    /// Deltas whose base is not known yet or not in memory, by its place or its name.
    var waitingForPlace: [Int32: [Int32]] = [:]
    var waitingForName: [ObjectID: [Int32]] = [:]
    /// The waiting deltas themselves, as far as there is room.
    var deltas: ObjectCache
    /// The place of an object that is known by name; built when first needed, which for most packs is never.
    var places: [Int32: Int32]?
    /// What the pack may build on, and the places of the objects that are taken from there.
    var repository: ObjectDatabase?
    var borrowed: [ObjectID: Int32] = [:]
    /// The objects of the pack that turned out to be such ones, by the places of these.
    var replaced: [Int32: Int32] = [:]
    /// The first byte that is not part of an entry.
    var end = PackHeader.size

    /// Begins a pack of `count` objects.
    init(
        into directory: FilePath, count: Int, limits: GitServer.Configuration.Limits
    ) throws(GitReceiverError) {
        self.directory = directory
        self.limits = limits
        self.expected = count
        self.file = try PackFile(creating: directory.appending("incoming"))
        self.inflater = try Inflater()
        self.judge = ObjectJudge(limits: limits)
        self.cache = ObjectCache(limit: limits.deltaCacheBytes / 4 * 3)
        self.deltas = ObjectCache(limit: limits.deltaCacheBytes / 4)
        // The claim of an untrusted header reserves nothing.
        self.entries.reserveCapacity(min(count, 1 << 16))
    }

    /// Takes more of the pack; `isOver` is asked between objects and stops the work.
    func append(_ bytes: [UInt8], isOver: () -> Bool) throws(GitReceiverError) -> Bool {
        try bytes.withRaw { input throws(GitReceiverError) in
            let start = self.file.size
            try self.file.write(input)
            var position = 0
            while position < input.count {
                if isOver() { return false }
                let rest = UnsafeRawBufferPointer(rebasing: input[position...])
                let used = try self.take(rest, at: start + position)
                if case .trailer = self.state {
                } else {
                    self.file.digest(UnsafeRawBufferPointer(rebasing: rest[..<used]))
                }
                position += used
                try self.advance(at: start + position)
            }
            return true
        }
    }

    /// Takes bytes for the current state; returns how many.
    private func take(_ input: UnsafeRawBufferPointer, at offset: Int) throws(GitReceiverError) -> Int {
        switch self.state {
        case .header:
            let count = min(PackHeader.size - self.partial.count, input.count)
            self.partial += input.prefix(count)
            return count
        case .trailer:
            guard self.partial.count + input.count <= 20 else {
                throw GitReceiverError(.corrupt, "the pack is damaged: something follows its end")
            }
            self.partial += input
            return input.count
        case .entry:
            for (index, byte) in input.enumerated() {
                self.partial.append(byte)
                guard
                    let header = try self.partial.withRaw({ bytes throws(GitReceiverError) in
                        try PackEntryHeader(bytes)
                    })
                else { continue }
                try self.begin(header, at: offset + index + 1 - self.partial.count)
                return index + 1
            }
            return input.count
        case .data(let header):
            let (used, done) = try self.inflater.feed(input)
            let last = self.entries.count - 1
            self.entries[last].crc.update(UnsafeRawBufferPointer(rebasing: input[..<used]))
            if let done {
                self.state = .entry
                self.end = offset + used
                try self.complete(Int32(last), header, done)
            }
            return used
        }
    }

    /// Goes on to the next state where nothing has to be read for it.
    private func advance(at offset: Int) throws(GitReceiverError) {
        switch self.state {
        case .header where self.partial.count == PackHeader.size:
            self.partial = []
            self.state = self.expected == 0 ? .trailer : .entry
        case .entry where self.partial.isEmpty && self.entries.count == self.expected: self.state = .trailer
        default: break
        }
    }

    private func begin(_ header: PackEntryHeader, at offset: Int) throws(GitReceiverError) {
        guard header.size <= self.limits.objectBytes else {
            throw .objectTooLarge(header.size, limit: self.limits.objectBytes)
        }
        var entry = Entry(offset: offset, size: header.size, header: self.partial.count)
        if case .place(let distance) = header.content {
            guard let base = self.index(at: offset - distance) else {
                throw Self.noBase
            }
            entry.base = base
        }
        self.partial.withUnsafeBytes { entry.crc.update($0) }
        self.entries.append(entry)
        self.partial = []
        try self.inflater.start(size: header.size)
        self.state = .data(header)
    }

    private func index(at offset: Int) -> Int32? {
        var (low, high) = (0, self.entries.count)
        while low < high {
            let middle = (low + high) / 2
            if self.entries[middle].offset < offset { low = middle + 1 } else { high = middle }
        }
        return low < self.entries.count && self.entries[low].offset == offset ? Int32(low) : nil
    }
}
