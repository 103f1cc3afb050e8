import CLibgit2
import CZlib
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
        var crc: UInt32 = 0
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

    private enum State { case header, entry, data(PackEntryHeader), trailer }

    let directory: FilePath
    let limits: GitServer.Configuration.Limits
    private let file: PackFile
    private let inflater: Inflater
    /// For reading again.
    private var buffer = [UInt8](repeating: 0, count: 1 << 13)
    private let expected: Int
    private var state = State.header
    /// The bytes of a header or trailer that has not come to its end.
    private var partial: [UInt8] = []
    var entries: [Entry] = []
    var judge: ObjectJudge
    private var cache: ObjectCache
    /// Deltas whose base is not known yet or not in memory, by its place or its name.
    var waitingForPlace: [Int32: [Int32]] = [:]
    var waitingForName: [ObjectID: [Int32]] = [:]
    /// The waiting deltas themselves, as far as there is room.
    private var deltas: ObjectCache
    /// The first byte that is not part of an entry.
    private var end = PackHeader.size

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

    // MARK: Receiving

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
                guard let header = try PackEntryHeader(self.partial) else { continue }
                try self.begin(header, at: offset + index + 1 - self.partial.count)
                return index + 1
            }
            return input.count
        case .data(let header):
            let (used, done) = try self.inflater.feed(input)
            let last = self.entries.count - 1
            self.entries[last].crc = UInt32(
                crc32(
                    UInt(self.entries[last].crc), input.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt32(used)))
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
                throw GitReceiverError(.corrupt, "the pack is damaged: a delta has no base")
            }
            entry.base = base
        }
        entry.crc = UInt32(self.partial.withUnsafeBufferPointer { crc32(0, $0.baseAddress, UInt32($0.count)) })
        self.entries.append(entry)
        self.partial = []
        self.inflater.start(size: header.size)
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

    private func complete(
        _ index: Int32, _ header: PackEntryHeader, _ data: ObjectBuffer
    ) throws(GitReceiverError) {
        switch header.content {
        case .whole(let kind): try self.resolved(index, kind, data)
        case .place:
            let base = self.entries[Int(index)].base
            if self.entries[Int(base)].number >= 0, let baseData = self.cache[base] {
                try self.apply(data, index, to: baseData, at: base)
            } else {
                self.waitingForPlace[base, default: []].append(index)
                self.deltas.insert(data, at: index)
            }
        case .name(let oid):
            if let base = self.index(of: oid), let baseData = self.cache[base] {
                try self.apply(data, index, to: baseData, at: base)
            } else {
                self.waitingForName[oid, default: []].append(index)
                self.deltas.insert(data, at: index)
            }
        }
    }

    /// The place of an object that is known by name; built when first needed, which for most packs is never.
    private var places: [Int32: Int32]?

    private func index(of oid: ObjectID) -> Int32? {
        guard let number = self.judge.table.find(oid), self.judge.table.rows[Int(number)].kind != nil else {
            return nil
        }
        if self.places == nil {
            self.places = [:]
            for (index, entry) in self.entries.enumerated() where entry.number >= 0 {
                self.places?[entry.number] = Int32(index)
            }
        }
        return self.places?[number]
    }

    // MARK: Objects

    /// Makes an object of a delta.
    private func apply(
        _ delta: ObjectBuffer, _ index: Int32, to data: ObjectBuffer, at base: Int32
    ) throws(GitReceiverError) {
        let parent = self.entries[Int(base)]
        guard parent.depth < Int32(clamping: self.limits.deltaDepth) else {
            throw GitReceiverError(
                .limitExceeded,
                "the pack has deltas on deltas deeper than \(self.limits.deltaDepth), the limit of this server; "
                    + "run: git repack -adf --depth=50")
        }
        self.entries[Int(index)].base = base
        self.entries[Int(index)].depth = parent.depth + 1
        guard let kind = self.judge.table.rows[Int(parent.number)].kind else { throw Self.noBase }
        try self.resolved(
            index, kind, try PackDelta.apply(delta, to: data, limit: self.limits.objectBytes))
    }

    private func resolved(_ index: Int32, _ kind: ObjectKind, _ data: ObjectBuffer) throws(GitReceiverError) {
        var oid = git_oid()
        // libgit2's hash looks for collision attacks, and fails on one.
        guard git_odb_hash(&oid, data.pointer, data.count, git_object_t(kind.rawValue)) == 0 else {
            throw GitReceiverError(
                .corrupt, "an object of the pack cannot be hashed, as in a SHA-1 collision attack",
                cause: Libgit2Failure.last(-1))
        }
        let number = try self.judge.add(ObjectID(oid), kind, data.bytes)
        self.entries[Int(index)].number = number
        self.places?[number] = index
        self.cache.insert(data, at: index)
    }

    private static let noBase = GitReceiverError(.corrupt, "the pack is damaged: a delta has no base")

    /// The contents of a known object: from memory, or made again from what is.
    private func contents(of index: Int32) throws(GitReceiverError) -> ObjectBuffer {
        var chain: [Int32] = []
        var current = index
        while self.cache[current] == nil, self.entries[Int(current)].depth > 0 {
            chain.append(current)
            current = self.entries[Int(current)].base
        }
        var data: ObjectBuffer
        if let cached = self.cache[current] { data = cached } else { data = try self.unpack(current) }
        for index in chain.reversed() {
            data = try PackDelta.apply(self.unpack(index), to: data, limit: self.limits.objectBytes)
            self.cache.insert(data, at: index)
        }
        return data
    }

    /// Reads an entry from the file again.
    private func unpack(_ index: Int32) throws(GitReceiverError) -> ObjectBuffer {
        if let delta = self.deltas[index] { return delta }
        let entry = self.entries[Int(index)]
        self.inflater.start(size: entry.size)
        var position = entry.offset + entry.header
        while true {
            let count = try self.buffer.withMutableRaw { buffer throws(GitReceiverError) in
                try self.file.read(at: position, into: buffer)
            }
            guard count > 0 else { throw GitReceiverError(.storage, "The pack cannot be read.") }
            position += count
            let (_, done) = try self.buffer.withRaw { buffer throws(GitReceiverError) in
                try self.inflater.feed(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
            if let done { return done }
        }
    }

    // MARK: The end

    /// Resolves the deltas that wait, adds the bases of a thin pack from the repository, and writes the index. False if
    /// `isOver` stopped it.
    func finish(objects: () throws(GitReceiverError) -> ObjectDatabase, isOver: () -> Bool) throws(GitReceiverError)
        -> Bool
    {
        guard case .trailer = self.state, self.partial.count == 20 else {
            throw GitReceiverError(.corrupt, "the pack is cut off")
        }
        var checksum = self.file.finishDigest()
        guard checksum == self.partial else {
            throw GitReceiverError(.corrupt, "the pack is damaged: its checksum is wrong")
        }
        for base in self.waitingForPlace.keys.sorted() where self.entries[Int(base)].number >= 0 {
            guard try self.settle(base, isOver) else { return false }
        }
        for name in self.waitingForName.keys.sorted() {
            guard let base = self.index(of: name) else { continue }
            guard try self.settle(base, isOver) else { return false }
        }
        let own = self.entries.count
        if !self.waitingForName.isEmpty {
            let database = try objects()
            for name in self.waitingForName.keys.sorted() where self.waitingForName[name] != nil {
                if self.index(of: name) == nil { try self.addBase(name, from: database) }
                guard let base = self.index(of: name) else { continue }
                guard try self.settle(base, isOver) else { return false }
            }
        }
        guard self.waitingForName.isEmpty, self.waitingForPlace.isEmpty else { throw Self.noBase }
        if self.entries.count > own {
            try self.file.restart(count: self.entries.count, end: self.end)
            checksum = self.file.finishDigest()
            try checksum.withRaw { bytes throws(GitReceiverError) in try self.file.write(bytes) }
        }
        try self.judge.table.checkDepth(limit: self.limits.treeDepth) { () throws(GitReceiverError) in }
        try self.install(checksum)
        return true
    }

    /// Applies all that waits for a known object, directly or not.
    private func settle(_ root: Int32, _ isOver: () -> Bool) throws(GitReceiverError) -> Bool {
        var pending = [root]
        while let base = pending.popLast() {
            var children = self.waitingForPlace.removeValue(forKey: base) ?? []
            let oid = self.judge.table.rows[Int(self.entries[Int(base)].number)].oid
            if !self.waitingForName.isEmpty { children += self.waitingForName.removeValue(forKey: oid) ?? [] }
            if children.isEmpty { continue }
            let data = try self.contents(of: base)
            for child in children {
                if isOver() { return false }
                try self.apply(self.unpack(child), child, to: data, at: base)
                pending.append(child)
            }
        }
        return true
    }

    /// Adds an object of the repository on which deltas of a thin pack build.
    private func addBase(_ oid: ObjectID, from objects: ObjectDatabase) throws(GitReceiverError) {
        guard let (kind, size) = try objects.header(of: oid) else {
            throw GitReceiverError(.incomplete, "the pack needs the object \(oid), which was not sent")
        }
        guard size <= self.limits.objectBytes else { throw .objectTooLarge(size, limit: self.limits.objectBytes) }
        let data = ObjectBuffer(count: size)
        try objects.withObject(oid) { _, bytes throws(GitReceiverError) in
            guard bytes.count == size else { throw Self.noBase }
            if let start = bytes.baseAddress { data.pointer.copyMemory(from: start, byteCount: size) }
        }
        var packed = PackEntryHeader.encode(kind, size: size)
        let header = packed.count
        var room = compressBound(UInt(size))
        packed += [UInt8](unsafeUninitializedCapacity: Int(room)) { buffer, count in
            compress2(
                buffer.baseAddress, &room, data.pointer.assumingMemoryBound(to: UInt8.self), UInt(size),
                Z_DEFAULT_COMPRESSION)
            count = Int(room)
        }
        var entry = Entry(offset: self.end, size: size, header: header)
        entry.crc = UInt32(packed.withUnsafeBufferPointer { crc32(0, $0.baseAddress, UInt32($0.count)) })
        // The checksum of the pack as it was sent stands at its end.
        if self.file.size > self.end { try self.file.restart(count: self.entries.count, end: self.end) }
        try packed.withRaw { bytes throws(GitReceiverError) in try self.file.write(bytes) }
        self.end += packed.count
        self.entries.append(entry)
        try self.resolved(Int32(self.entries.count - 1), kind, data)
    }

    private func install(_ checksum: [UInt8]) throws(GitReceiverError) {
        let rows = self.judge.table.rows
        let index = self.entries
            .map { PackIndexFile.Entry(oid: rows[Int($0.number)].oid, crc: $0.crc, offset: $0.offset) }
            .sorted { $0.oid < $1.oid }
        let name = PackIndexFile.name(index)
        try self.file.sync()
        try PackIndexFile.write(index, packChecksum: checksum, to: self.directory.appending(name + ".idx"))
        try Files.rename(self.directory.appending("incoming"), to: self.directory.appending(name + ".pack"))
    }
}
