/// The packs of a repository, in the order in which objects are looked for.
struct PackCatalog {
    let packs: [StoredPack]
    private let skipsDamaged: Bool

    /// Opens the indexes of all packs. The oldest pack is the first: what was pushed later builds on what was there, so that
    /// deltas of later packs find their base in an earlier one, and an object that was added to a pack to make it complete
    /// is taken from the pack that it came with.
    ///
    /// - Parameter skipsDamaged: whether a pack that cannot be read, now or later, is passed over. Its objects count as being
    ///   in other packs then, or in none.
    init(_ directory: PackDirectory, skipsDamaged: Bool = false) throws(GitReceiverError) {
        var packs: [StoredPack] = []
        for pack in directory.packs().sorted(by: { ($0.time, $0.name) < ($1.time, $1.name) }) {
            do throws(GitReceiverError) {
                let stored = try StoredPack(pack.name, in: directory.path)
                // Hundreds of packs would be hundreds of descriptors.
                stored.close()
                packs.append(stored)
            } catch {
                guard skipsDamaged else { throw error }
            }
        }
        self.packs = packs
        self.skipsDamaged = skipsDamaged
    }

    /// Finds where objects lie, and what they are deltas of.
    ///
    /// - Parameters:
    ///   - objects: the names, each once.
    ///   - held: objects that the receiver has and that deltas may build on.
    func find(
        _ objects: [ObjectID], held: Set<ObjectID> = [], check: () throws(GitReceiverError) -> Void
    ) throws(GitReceiverError) -> PackContents {
        var numbers: [ObjectID: Int32] = [:]
        numbers.reserveCapacity(objects.count)
        for (number, oid) in objects.enumerated() { numbers[oid] = Int32(number) }
        var contents = PackContents(
            objects: objects, entries: Array(repeating: .init(), count: objects.count),
            bases: Array(repeating: .loose, count: objects.count), packs: self.packs)
        var missing = (0..<Int32(objects.count)).map { $0 }
        for (place, pack) in self.packs.enumerated() where !missing.isEmpty {
            try check()
            do throws(GitReceiverError) {
                let found = try self.take(from: pack, at: Int32(place), numbers, &missing, &contents)
                guard !found.isEmpty else { continue }
                try self.measure(found, in: pack, &contents)
                try self.readHeaders(found, of: pack, numbers, held, &contents, check)
            } catch {
                guard self.skipsDamaged, error.code == .corrupt else { throw error }
                missing = contents.forget(pack: Int32(place))
            }
            pack.close()
        }
        contents.dropUnusedPacks()
        return contents
    }

    /// An object that a pack has.
    private struct Found {
        var offset: Int
        var number: Int32
    }

    /// Takes what a pack has of the missing objects; returns them by offset.
    private func take(
        from pack: StoredPack, at place: Int32, _ numbers: [ObjectID: Int32], _ missing: inout [Int32],
        _ contents: inout PackContents
    ) throws(GitReceiverError) -> [Found] {
        var found: [Found] = []
        func take(_ number: Int32, _ row: Int) throws(GitReceiverError) {
            let offset = try pack.index.offset(row)
            contents.entries[Int(number)] = PackContents.Entry(pack: place, crc: pack.index.crc(row), offset: offset)
            found.append(Found(offset: offset, number: number))
        }
        // Whichever are fewer are looked up among the others.
        if pack.index.count < missing.count {
            for row in 0..<pack.index.count {
                guard let number = numbers[pack.index.oid(row)], contents.entries[Int(number)].pack < 0 else {
                    continue
                }
                try take(number, row)
            }
        } else {
            for number in missing {
                if let row = pack.index.find(contents.objects[Int(number)]) { try take(number, row) }
            }
        }
        if !found.isEmpty { missing.removeAll { contents.entries[Int($0)].pack >= 0 } }
        return found.sorted { $0.offset < $1.offset }
    }

    /// Finds out where entries end: where others begin.
    private func measure(
        _ found: [Found], in pack: StoredPack, _ contents: inout PackContents
    ) throws(GitReceiverError) {
        let starts = found.map(\.offset)
        var ends = Array(starts.dropFirst()) + [pack.end]
        if starts.count < pack.index.count {
            for row in 0..<pack.index.count {
                let offset = try pack.index.offset(row)
                // The last that begins before this one ends here, if not earlier.
                let position = starts.partitioningIndex { $0 >= offset } - 1
                if position >= 0, ends[position] > offset { ends[position] = offset }
            }
        }
        for (position, entry) in found.enumerated() {
            guard starts[position] >= PackHeader.size, ends[position] > starts[position], ends[position] <= pack.end
            else { throw pack.damaged("does not fit its index") }
            contents.entries[Int(entry.number)].count = ends[position] - starts[position]
        }
    }

    private func readHeaders(
        _ found: [Found], of pack: StoredPack, _ numbers: [ObjectID: Int32], _ held: Set<ObjectID>,
        _ contents: inout PackContents, _ check: () throws(GitReceiverError) -> Void
    ) throws(GitReceiverError) {
        let starts = found.map(\.offset)
        var window = PackWindow(pack)
        // Bases that are not taken from here, by where they begin: their names are still to be found.
        var elsewhere: [Int: [Int32]] = [:]
        for (position, entry) in found.enumerated() {
            if position.isMultiple(of: 256) { try check() }
            switch try window.header(at: entry.offset).content {
            case .whole: contents.bases[Int(entry.number)] = .none
            case .place(let distance):
                let offset = entry.offset - distance
                let base = starts.partitioningIndex { $0 >= offset }
                if base < starts.count, starts[base] == offset {
                    contents.bases[Int(entry.number)] = .sent(found[base].number)
                } else {
                    elsewhere[offset, default: []].append(entry.number)
                }
            case .name(let oid): Self.set(oid, asBaseOf: [entry.number], numbers, held, &contents)
            }
        }
        guard !elsewhere.isEmpty else { return }
        for row in 0..<pack.index.count {
            guard let children = elsewhere.removeValue(forKey: try pack.index.offset(row)) else { continue }
            Self.set(pack.index.oid(row), asBaseOf: children, numbers, held, &contents)
            if elsewhere.isEmpty { return }
        }
        throw pack.damaged("has a delta without a base")
    }

    private static func set(
        _ base: ObjectID, asBaseOf children: [Int32], _ numbers: [ObjectID: Int32], _ held: Set<ObjectID>,
        _ contents: inout PackContents
    ) {
        for child in children {
            if let number = numbers[base] {
                contents.bases[Int(child)] = .sent(number)
            } else if held.contains(base) {
                contents.bases[Int(child)] = .held
                contents.heldBases[child] = base
            } else {
                contents.bases[Int(child)] = .absent
            }
        }
    }
}

extension [Int] {
    /// The first place in a sorted array whose number satisfies what all later ones do.
    func partitioningIndex(where belongs: (Int) -> Bool) -> Int {
        var (low, high) = (0, self.count)
        while low < high {
            let middle = (low + high) / 2
            if belongs(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
