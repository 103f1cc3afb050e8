/// A map from text to values that is cheap to copy and to change, looked up by bytes without making a string.
///
/// Two levels of tables: the upper one shares its lower ones between copies, and a change copies the upper table and
/// one lower one, some hundred words each for ten thousand keys. An entry's key lies beside its value in one object,
/// so that a look-up reads three places in memory, as many for one key as for fifty thousand.
///
/// Keys come from the operator and look-ups from anyone. Since look-ups add nothing, an attacker cannot lengthen a
/// probe; where strangers may choose the keys, a secret seed keeps them from choosing colliding ones.
struct KeyIndex<Value: Sendable>: Sendable {
    private struct Slot: Sendable {
        var hash: UInt64 = 0
        var leaf: KeyLeaf<Value>?
    }

    /// Lower tables, each a power of two of slots, probed linearly, at most three quarters full.
    private var tables: [[Slot]] = [Self.emptyTable(slots: 4)]
    private(set) var count = 0
    private let folding: KeyFolding
    private let seed: UInt64

    /// Keys per lower table at which the upper table grows; it grows fourfold.
    private static var tableLimit: Int { 64 }

    init(_ folding: KeyFolding, seed: UInt64 = 0) {
        self.folding = folding
        self.seed = seed
    }

    var values: [Value] {
        var values: [Value] = []
        values.reserveCapacity(self.count)
        for table in self.tables {
            for slot in table { if let leaf = slot.leaf { values.append(leaf.withValue { $0 }) } }
        }
        return values
    }

    // MARK: Finding

    /// Calls `body` with the value for a key, if there is one, without copying the value.
    @inline(__always)
    func find<R>(_ key: UnsafeRawBufferPointer, _ body: (Value) -> R?) -> R? {
        let hash = self.folding.hash(key, seed: self.seed)
        let table = self.table(of: hash)
        let mask = self.tables[table].count &- 1
        var position = Int(truncatingIfNeeded: hash) & mask
        // There is always a free slot, which ends the probe.
        while let leaf = self.tables[table][position].leaf {
            if self.tables[table][position].hash == hash, leaf.holds(key, self.folding) {
                return leaf.withValue(body)
            }
            position = (position &+ 1) & mask
        }
        return nil
    }

    /// The value for a key.
    func find(_ key: String) -> Value? {
        var key = key
        return key.withUTF8 { self.find(UnsafeRawBufferPointer($0)) { $0 } }
    }

    @inline(__always)
    private func table(of hash: UInt64) -> Int {
        Int(truncatingIfNeeded: hash >> 40) & (self.tables.count &- 1)
    }

    // MARK: Changing

    /// Sets or, with nil, removes the value for a key.
    mutating func set(_ key: String, _ value: Value?) { self.update(key) { $0 = value } }

    /// Changes the value for a key in place; nil stands for none.
    mutating func update(_ key: String, _ change: (inout Value?) -> Void) {
        var key = key
        key.withUTF8 { self.update(UnsafeRawBufferPointer($0), change) }
    }

    private mutating func update(_ key: UnsafeRawBufferPointer, _ change: (inout Value?) -> Void) {
        let hash = self.folding.hash(key, seed: self.seed)
        let table = self.table(of: hash)
        let mask = self.tables[table].count - 1
        var position = Int(truncatingIfNeeded: hash) & mask
        var value: Value?
        var isKnown = false
        while let leaf = self.tables[table][position].leaf {
            if self.tables[table][position].hash == hash, leaf.holds(key, self.folding) {
                value = leaf.withValue { $0 }
                isKnown = true
                break
            }
            position = (position + 1) & mask
        }
        change(&value)
        switch (isKnown, value) {
        case (true, let value?):
            self.tables[table][position].leaf = KeyLeaf(key, value, self.folding)
        case (true, nil):
            self.remove(table, position)
        case (false, let value?):
            self.tables[table][position] = Slot(hash: hash, leaf: KeyLeaf(key, value, self.folding))
            self.count += 1
            self.growIfNeeded(table)
        case (false, nil):
            break
        }
    }

    /// Takes a slot out by building its table anew, so that no probe is cut short.
    private mutating func remove(_ table: Int, _ position: Int) {
        var slots = self.tables[table]
        slots[position] = Slot()
        self.tables[table] = Self.rebuilt(slots, slots: slots.count)
        self.count -= 1
    }

    private mutating func growIfNeeded(_ table: Int) {
        let slots = self.tables[table].count
        if self.count > self.tables.count * Self.tableLimit {
            self.growUpper()
        } else if self.tables[table].count(where: { $0.leaf != nil }) * 4 > slots * 3 {
            self.tables[table] = Self.rebuilt(self.tables[table], slots: slots * 2)
        }
    }

    private mutating func growUpper() {
        var groups = [[Slot]](repeating: [], count: self.tables.count * 4)
        for table in self.tables {
            for slot in table where slot.leaf != nil {
                groups[Int(truncatingIfNeeded: slot.hash >> 40) & (groups.count - 1)].append(slot)
            }
        }
        self.tables = groups.map { group in
            var slots = 4
            while group.count * 4 > slots * 3 { slots *= 2 }
            return Self.rebuilt(group, slots: slots)
        }
    }

    private static func emptyTable(slots: Int) -> [Slot] { Array(repeating: Slot(), count: slots) }

    private static func rebuilt(_ old: [Slot], slots: Int) -> [Slot] {
        var table = Self.emptyTable(slots: slots)
        for slot in old where slot.leaf != nil {
            var position = Int(truncatingIfNeeded: slot.hash) & (slots - 1)
            while table[position].leaf != nil { position = (position + 1) & (slots - 1) }
            table[position] = slot
        }
        return table
    }
}
