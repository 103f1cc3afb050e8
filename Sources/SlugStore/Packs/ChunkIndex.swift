import Synchronization

/// Where every stored chunk is. In memory: about 100 bytes a chunk, 1.5 MB for each GB of distinct content.
final class ChunkIndex: Sendable {
    /// A pack's number in this index; never given twice, so that what a reader has cached never means another pack.
    typealias Slot = Int

    struct Location: Sendable {
        var slot: UInt32
        var frame: UInt32
        var offset: UInt32
        var length: UInt32
    }

    struct Pack: Sendable {
        struct Frame: Sendable {
            var offset: UInt64
            var storedBytes: Int
            var bytes: Int
            var checksum: UInt32
        }

        var slot: Slot
        /// The name of the file.
        var name: String
        var fileBytes: Int64
        var frames: [Frame]
    }

    private struct State {
        var nextSlot = 0
        var packs: [Slot: Pack] = [:]
        var slots: [String: Slot] = [:]
        var locations: [ChunkID: Location] = [:]
    }

    private let state = Mutex(State())

    var packNames: Set<String> { self.state.withLock { Set($0.slots.keys) } }

    func location(of chunk: ChunkID) -> Location? { self.state.withLock { $0.locations[chunk] } }

    func pack(_ slot: UInt32) -> Pack? { self.state.withLock { $0.packs[Slot(slot)] } }

    func contains(_ chunk: ChunkID) -> Bool { self.state.withLock { $0.locations[chunk] != nil } }

    /// Whether a chunk is read from the pack of that name.
    func isStored(_ chunk: ChunkID, in name: String) -> Bool {
        self.state.withLock { state in
            state.locations[chunk].flatMap { state.packs[Slot($0.slot)]?.name } == name
        }
    }

    /// Adds a pack. A chunk that another pack has too stays where it is; garbage collection frees the second copy.
    func add(name: String, fileBytes: Int64, frames: [PackFormat.Frame]) {
        self.state.withLock { state in
            guard state.slots[name] == nil else { return }
            let slot = state.nextSlot
            state.nextSlot += 1
            state.slots[name] = slot
            state.packs[slot] = Pack(
                slot: slot, name: name, fileBytes: fileBytes,
                frames: frames.map {
                    Pack.Frame(
                        offset: $0.offset, storedBytes: $0.storedBytes, bytes: $0.bytes, checksum: $0.checksum)
                })
            state.locations.reserveCapacity(state.locations.count + frames.reduce(0) { $0 + $1.chunks.count })
            for (number, frame) in frames.enumerated() {
                var offset = 0
                for chunk in frame.chunks {
                    let location = Location(
                        slot: UInt32(slot), frame: UInt32(number), offset: UInt32(offset), length: UInt32(chunk.length))
                    if state.locations[chunk.id] == nil { state.locations[chunk.id] = location }
                    offset += chunk.length
                }
            }
        }
    }

    /// Forgets everything, to be filled again from what is on disk.
    func removeAll() {
        self.state.withLock { state in
            state.packs = [:]
            state.slots = [:]
            state.locations = [:]
        }
    }
}
