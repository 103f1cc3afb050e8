import Logging
import Synchronization

/// What is in the packs of a remote: their indexes, each read once and then kept on disk, since a pack never changes.
final class RemotePacks: Sendable {
    struct Pack: Sendable {
        var name: PackName
        var fileBytes: Int64
        var frames: [PackFormat.Frame]
        /// Whether it was in the remote, and not condemned, when that was looked at last. Packs that a record's hints led to
        /// can be read, but not relied upon.
        var isSound = false
    }

    struct Place: Sendable, Hashable {
        var slot: UInt32
        var frame: UInt32
    }

    private struct State {
        var packs: [UInt32: Pack] = [:]
        var slots: [PackName: UInt32] = [:]
        var nextSlot: UInt32 = 0
        /// Most chunks are in one pack; the others have the rest of their places in `copies`.
        var places: [ChunkID: Place] = [:]
        var copies: [ChunkID: [Place]] = [:]
        var marked: Set<PackName> = []
        var present: Set<PackName> = []
        /// Packs that cannot be read. They are left alone, and what is in them counts as missing.
        var damaged: Set<PackName> = []

        func isSound(_ name: PackName) -> Bool { self.present.contains(name) && !self.marked.contains(name) }

        func allPlaces(of chunk: ChunkID) -> [Place] {
            guard let first = self.places[chunk] else { return [] }
            return [first] + (self.copies[chunk] ?? [])
        }
    }

    private let store: any ObjectStore
    private let limits: TieredSlugRepository.Limits
    private let logger: Logger
    private let state = Mutex(State())

    init(store: any ObjectStore, limits: TieredSlugRepository.Limits, logger: Logger) {
        self.store = store
        self.limits = limits
        self.logger = logger
    }

    // MARK: Looking

    /// The packs that were there and not condemned when the remote was looked at last, and what this host stored since.
    var sound: [Pack] { self.state.withLock { $0.packs.values.filter(\.isSound) } }
    var all: [Pack] { self.state.withLock { Array($0.packs.values) } }

    /// A pack that has the chunk and is not condemned, the newest if there are several: the same for all who look at once.
    func keeper(of chunk: ChunkID) -> PackName? {
        self.state.withLock { state in
            state.allPlaces(of: chunk).compactMap { state.packs[$0.slot] }.filter(\.isSound).map(\.name).min()
        }
    }

    /// Where to read chunks: packs, and the numbers of the frames that are needed of each; and what is nowhere.
    func frames(
        with chunks: [SlugManifest.ChunkReference]
    ) -> (wanted: [(pack: Pack, frames: [Int])], missing: [SlugManifest.ChunkReference]) {
        self.state.withLock { state in
            var frames: [UInt32: Set<Int>] = [:]
            var missing: [SlugManifest.ChunkReference] = []
            for chunk in chunks {
                let places = state.allPlaces(of: chunk.id)
                // What is fetched anyway, or else the newest.
                if places.contains(where: { frames[$0.slot]?.contains(Int($0.frame)) == true }) { continue }
                guard
                    let place = places.min(by: { lhs, rhs in
                        guard let left = state.packs[lhs.slot], let right = state.packs[rhs.slot] else { return false }
                        return left.name < right.name
                    })
                else {
                    missing.append(chunk)
                    continue
                }
                frames[place.slot, default: []].insert(Int(place.frame))
            }
            let wanted = frames.compactMap { slot, numbers in
                state.packs[slot].map { (pack: $0, frames: numbers.sorted()) }
            }
            return (wanted.sorted { $0.pack.name < $1.pack.name }, missing)
        }
    }

    // MARK: Learning

    /// Looks at the remote: first which packs are condemned, then which are there, so that a pack which is not seen as
    /// condemned and goes is not seen.
    /// - Returns: All condemned packs, whether they are still there or not.
    @discardableResult
    func refresh(_ cache: RemoteCache) async throws(SlugStoreError) -> Set<PackName> {
        let marked = Set(
            try await self.store.list(prefix: RemoteLayout.garbage).compactMap {
                PackName(key: $0, below: RemoteLayout.garbage)
            })
        let present = Set(
            try await self.store.list(prefix: RemoteLayout.packs).compactMap {
                PackName(key: $0, below: RemoteLayout.packs)
            })
        self.state.withLock { state in
            state.marked = marked
            state.present = present
            state.damaged.formIntersection(present)
            for (name, slot) in state.slots {
                if present.contains(name) {
                    let isSound = state.isSound(name)
                    state.packs[slot]?.isSound = isSound
                } else {
                    Self.remove(name, &state)
                }
            }
        }
        let unknown = self.state.withLock { state in
            present.filter { state.slots[$0] == nil && !state.damaged.contains($0) }
        }
        cache.forgetPackTails(except: present)
        try await self.load(unknown.sorted().map { ($0, nil) }, cache)
        return marked
    }

    /// Reads the indexes of those packs that are not known yet. One that is not there (any more) is left out.
    func load(_ packs: [(name: PackName, bytes: Int64?)], _ cache: RemoteCache) async throws(SlugStoreError) {
        let unknown = self.state.withLock { state in
            packs.filter { state.slots[$0.name] == nil && !state.damaged.contains($0.name) }
        }
        try await inParallel(unknown, limit: self.limits.requests) { entry throws(SlugStoreError) in
            do throws(SlugStoreError) {
                guard let pack = try await self.read(entry.name, trusting: entry.bytes, cache) else { return }
                self.add(pack)
            } catch {
                guard [.corrupted, .unsupportedFormat, .limitExceeded].contains(error.code) else { throw error }
                // One damaged pack must not keep the slugs of all others from starting.
                self.logger.error(
                    "a pack of the remote cannot be read and is left out",
                    metadata: ["slug.pack": "\(entry.name)", "error": "\(error)"])
                self.state.withLock { _ = $0.damaged.insert(entry.name) }
            }
        }
    }

    /// Notes a pack that this host has just stored.
    func add(_ name: PackName, _ pack: StagedPack, _ cache: RemoteCache) {
        // The next start need not read it from there.
        let index = PackFormat.encodeIndex(pack.frames)
        let offset = UInt64(pack.bytes) - UInt64(index.count + PackFormat.footerBytes)
        let footer = PackFormat.encodeFooter(indexOffset: offset, index: index, digest: pack.digest)
        cache.keep(packTail: index + footer, of: name)
        self.state.withLock { _ = $0.present.insert(name) }
        self.add(Pack(name: name, fileBytes: pack.bytes, frames: pack.frames))
    }

    /// Notes that a pack is gone.
    func forget(_ name: PackName) {
        self.state.withLock { state in
            state.present.remove(name)
            Self.remove(name, &state)
        }
    }

    private func add(_ pack: Pack) {
        self.state.withLock { state in
            guard state.slots[pack.name] == nil else { return }
            let slot = state.nextSlot
            state.nextSlot += 1
            state.slots[pack.name] = slot
            var pack = pack
            pack.isSound = state.isSound(pack.name)
            state.packs[slot] = pack
            for (number, frame) in pack.frames.enumerated() {
                let place = Place(slot: slot, frame: UInt32(number))
                for chunk in frame.chunks {
                    if state.places[chunk.id] == nil {
                        state.places[chunk.id] = place
                    } else {
                        state.copies[chunk.id, default: []].append(place)
                    }
                }
            }
        }
    }

    private static func remove(_ name: PackName, _ state: inout State) {
        guard let slot = state.slots.removeValue(forKey: name), let pack = state.packs.removeValue(forKey: slot) else {
            return
        }
        for chunk in pack.frames.lazy.flatMap(\.chunks) {
            let places = state.allPlaces(of: chunk.id).filter { $0.slot != slot }
            state.places[chunk.id] = places.first
            state.copies[chunk.id] = places.count > 1 ? Array(places.dropFirst()) : nil
        }
    }

    // MARK: Reading an index

    private static let guessedTail: Int64 = 64 << 10

    /// - Parameter hint: A size that a record says the pack has. It may be wrong, and then the pack is not.
    private func read(
        _ name: PackName, trusting hint: Int64?, _ cache: RemoteCache
    ) async throws(SlugStoreError) -> Pack? {
        do throws(SlugStoreError) {
            return try await self.read(name, hint, cache)
        } catch {
            guard error.code == .corrupted, hint != nil else { throw error }
            return try await self.read(name, nil, cache)
        }
    }

    private func read(
        _ name: PackName, _ bytes: Int64?, _ cache: RemoteCache
    ) async throws(SlugStoreError) -> Pack? {
        if let tail = cache.packTail(name, limit: self.limits.indexBytes + PackFormat.footerBytes),
            let pack = try? Self.pack(name, tail: tail)
        {
            return pack
        }
        do throws(SlugStoreError) {
            var size = bytes
            if size == nil { size = try await self.store.size(of: name.key) }
            guard let size else { return nil }
            let least = Int64(PackFormat.header.count + PackFormat.footerBytes)
            guard size >= least else { throw .corrupted("The pack \(name) of the remote has only \(size) bytes.") }
            var start = max(0, size - Self.guessedTail)
            var tail = try await self.readExactly(name, start..<size)
            let place = try Self.footer(name, tail, fileBytes: UInt64(size))
            guard place.count <= self.limits.indexBytes else {
                throw SlugStoreError(
                    code: .limitExceeded,
                    message: "The index of the pack \(name) has \(place.count) bytes; the limit is "
                        + "\(self.limits.indexBytes) (Limits.indexBytes).")
            }
            if Int64(place.offset) < start {
                tail = try await self.readExactly(name, Int64(place.offset)..<start) + tail
                start = Int64(place.offset)
            }
            tail.removeFirst(Int(Int64(place.offset) - start))
            let pack = try Self.pack(name, tail: tail)
            cache.keep(packTail: tail, of: name)
            return pack
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    private func readExactly(_ name: PackName, _ range: Range<Int64>) async throws(SlugStoreError) -> [UInt8] {
        let bytes = try await self.store.read(name.key, range: range)
        guard bytes.count == range.count else {
            throw .corrupted("The pack \(name) of the remote ends too early.")
        }
        return bytes
    }

    private static func footer(
        _ name: PackName, _ tail: [UInt8], fileBytes: UInt64
    ) throws(SlugStoreError) -> (offset: UInt64, count: Int, digest: ChunkID) {
        do throws(ByteReader.Malformed) {
            return try PackFormat.decodeFooter(Array(tail.suffix(PackFormat.footerBytes)), fileBytes: fileBytes)
        } catch {
            throw .corrupted("The pack \(name) of the remote \(error.what).")
        }
    }

    /// - Parameter tail: The index and the footer, which says where in the pack they are.
    private static func pack(_ name: PackName, tail: [UInt8]) throws(SlugStoreError) -> Pack {
        guard tail.count >= PackFormat.footerBytes else { throw .corrupted("The pack \(name) ends too early.") }
        var reader = ByteReader(tail, from: tail.count - PackFormat.footerBytes)
        let index = Array(tail.dropLast(PackFormat.footerBytes))
        do throws(ByteReader.Malformed) {
            let offset = try reader.littleEndianWord()
            let (bytes, overflows) = offset.addingReportingOverflow(UInt64(tail.count))
            guard !overflows, bytes <= UInt64(Int64.max) else { throw reader.malformed("is too large") }
            let place = try PackFormat.decodeFooter(Array(tail.suffix(PackFormat.footerBytes)), fileBytes: bytes)
            guard place.count == index.count, place.digest == name.digest, ChunkID(of: index) == name.digest else {
                throw reader.malformed("has an index that is not the one of its name")
            }
            return Pack(
                name: name, fileBytes: Int64(bytes), frames: try PackFormat.decodeIndex(index, indexOffset: offset))
        } catch {
            throw .corrupted("The pack \(name) of the remote \(error.what).")
        }
    }
}
