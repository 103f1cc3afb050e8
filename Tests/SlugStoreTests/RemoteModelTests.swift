import SlugStoreTesting
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import SlugStore

/// Hosts that put, remove and collect garbage on one remote, their requests in every order that chance finds: two that
/// write, two that collect, hosts that die between any two requests, deletions that arrive a second time much later.
///
/// The grace time is zero, so that a collection deletes what it has just condemned: the order of requests alone has to
/// keep everything.
@Suite struct RemoteModelTests {
    @Test(arguments: 0..<24)
    func `whatever the order of requests, every slug in the remote is whole`(seed: UInt64) async throws {
        try await withTemporaryDirectory { directory in
            let trees = Self.trees(seed)
            let plain = makeRepository(directory.appending("plain"))
            var needs: [ObjectKey: Set<ChunkID>] = [:]
            var paths: [FilePath] = []
            var ids: [SlugID] = []
            for (number, tree) in trees.enumerated() {
                let path = directory.appending("tree-\(number)")
                try tree.write(to: path)
                let id = try await plain.put(path, metadata: SlugMetadata()).id
                needs[RemoteLayout.record(of: id)] = Set(try await plain.parts(of: id).chunks.map(\.id))
                paths.append(path)
                ids.append(id)
            }
            let model = Model(seed: seed, needs: needs, hosts: 4)
            let names = ids
            let sources = paths
            await withTaskGroup(of: Void.self) { group in
                for host in 0..<4 {
                    group.addTask {
                        await Model.$host.withValue(host) {
                            let repository = makeHost(directory.appending("host-\(host)"), on: model.store) {
                                $0.limits.requests = 1
                            }
                            var random = SeededGenerator(seed: seed &* 31 &+ UInt64(host))
                            // Those who collect do so as long as the others write.
                            for round in 0..<40 where host < 2 ? round < 7 : model.isWriting {
                                let choice = Int.random(in: 0..<sources.count, using: &random)
                                let error = await slugStoreError { () throws(SlugStoreError) in
                                    if host >= 2 {
                                        _ = try await repository.collectGarbage()
                                    } else if Int.random(in: 0..<5, using: &random) < 2 {
                                        try await repository.remove(names[choice])
                                        // What was just removed is garbage that nobody has found yet.
                                        if Bool.random(using: &random) {
                                            _ = try await repository.put(sources[choice], metadata: SlugMetadata())
                                        }
                                    } else {
                                        _ = try await repository.put(sources[choice], metadata: SlugMetadata())
                                    }
                                }
                                // Dead, beaten by the collectors again and again, or nothing to remove.
                                #expect(
                                    error.map { [.remoteUnavailable, .busy, .notFound].contains($0.code) } ?? true,
                                    "\(error.map(String.init(describing:)) ?? "")")
                            }
                            model.leave(asWriter: host < 2)
                        }
                    }
                }
            }
            #expect(model.damage == nil)

            // What the end of it all looks like to a host that was not there.
            let reader = makeHost(directory.appending("reader"), on: model.store)
            let found = try await Model.$host.withValue(nil) {
                var found: [SlugID: TestTree] = [:]
                for slug in try await reader.list() {
                    found[slug.id] = try await TestTree(readingAt: reader.materialise(slug.id).path)
                    try await reader.verify(slug.id)
                }
                return found
            }
            for (id, tree) in found { #expect(ids.firstIndex(of: id).map { trees[$0] } == tree) }
        }
    }

    /// A put of what was just removed, and a collection: the first is stopped before any of its requests, then the second
    /// before any of its own, then the first ends, and then the second.
    @Test(arguments: 0..<11)
    func `a put may be stopped anywhere by a collection that is stopped anywhere`(stop: Int) async throws {
        try await withTemporaryDirectory { directory in
            let trees = Self.trees(UInt64(stop))
            let first = InMemoryObjectStore()
            let before = makeHost(directory.appending("before"), on: first)
            var needs: [ObjectKey: Set<ChunkID>] = [:]
            for (number, tree) in trees.enumerated() {
                try tree.write(to: directory.appending("tree-\(number)"))
                let id = try await before.put(directory.appending("tree-\(number)"), metadata: SlugMetadata()).id
                needs[RemoteLayout.record(of: id)] = Set(try await before.local.parts(of: id).chunks.map(\.id))
                // The last one stays, so that packs are copied as well as deleted.
                if number < 2 { try await before.remove(id) }
            }
            let content = first.content
            for other in 0..<26 {
                let model = Model(
                    seed: 0, needs: needs, hosts: 2, plan: [(0, stop), (1, other), (0, .max), (1, .max)])
                for (key, bytes) in content { try await model.store.write(bytes, to: key) }
                await withTaskGroup(of: Void.self) { group in
                    for host in 0..<2 {
                        group.addTask {
                            await Model.$host.withValue(host) {
                                let repository = makeHost(directory.appending("\(other)-\(host)"), on: model.store) {
                                    $0.limits.requests = 1
                                }
                                let error = await slugStoreError { () throws(SlugStoreError) in
                                    if host == 0 {
                                        _ = try await repository.put(
                                            directory.appending("tree-0"), metadata: SlugMetadata())
                                    } else {
                                        _ = try await repository.collectGarbage()
                                    }
                                }
                                #expect(error == nil, "\(error.map(String.init(describing:)) ?? "")")
                                model.leave(asWriter: host == 0)
                            }
                        }
                    }
                }
                #expect(model.damage == nil, "stopped before requests \(stop) and \(other)")
            }
        }
    }

    /// Trees that share most of what they hold.
    private static func trees(_ seed: UInt64) -> [TestTree] {
        var random = SeededGenerator(seed: seed)
        let pieces = (0..<6).map { _ in random.bytes(300) }
        return (0..<3).map { number in
            var entries: [String: TestTree.Entry] = ["number": .file("\(number)")]
            for (place, piece) in pieces.enumerated() where Int.random(in: 0..<3, using: &random) > 0 {
                entries["\(place)"] = .file(piece)
            }
            return TestTree(entries)
        }
    }
}

/// Lets one request at a time through, drawn from those that wait when all hosts wait.
private final class Model: Sendable {
    @TaskLocal static var host: Int?

    private struct State {
        var random: SeededGenerator
        var running: Int
        var writing = 2
        /// Who comes next for how many requests; by chance if there is none.
        var plan: [(host: Int, requests: Int)]
        var gone: Set<Int> = []
        var waiting: [(host: Int, continuation: CheckedContinuation<Bool, Never>)] = []
        var dead: Set<Int> = []
        /// Who goes first: requests of one host come in rows, while another waits in the middle of what it does for as long as
        /// whole collections take. That is where mistakes hide, and where even chances would hardly ever lead.
        var ranks: [Int: UInt64] = [:]
        var deleted: [ObjectKey] = []
        var indexes: [ObjectKey: Set<ChunkID>] = [:]
        var damage: String?
    }

    private let state: Mutex<State>
    private let needs: [ObjectKey: Set<ChunkID>]
    /// A host keeps its rank for so many requests, on average.
    private let row: Int
    private let kills: Bool
    private let isPlanned: Bool
    private let objects = Mutex<InMemoryObjectStore?>(nil)

    var damage: String? { self.state.withLock { $0.damage } }

    init(seed: UInt64, needs: [ObjectKey: Set<ChunkID>], hosts: Int, plan: [(host: Int, requests: Int)] = []) {
        self.isPlanned = !plan.isEmpty
        self.state = Mutex(State(random: SeededGenerator(seed: seed ^ 0x5eed), running: hosts, plan: plan))
        self.needs = needs
        self.row = [4, 15, 40][Int(seed % 3)]
        self.kills = seed % 4 == 0
    }

    var store: InMemoryObjectStore {
        self.objects.withLock { objects in
            if let objects { return objects }
            let store = InMemoryObjectStore { call throws(SlugStoreError) in
                guard let host = Self.host else { return }
                guard await self.turn(of: host) else {
                    throw SlugStoreError(code: .remoteUnavailable, message: "This host is dead.")
                }
                if case .delete(let key) = call, !key.description.hasPrefix(RemoteLayout.slugs) {
                    self.state.withLock { $0.deleted.append(key) }
                }
            }
            objects = store
            return store
        }
    }

    var isWriting: Bool { self.state.withLock { $0.writing > 0 } }

    func leave(asWriter: Bool) {
        self.state.withLock { state in
            state.running -= 1
            if asWriter { state.writing -= 1 }
            if let host = Self.host { state.gone.insert(host) }
            return self.next(&state)
        }?()
    }

    /// Whether the host lives.
    private func turn(of host: Int) async -> Bool {
        await withCheckedContinuation { continuation in
            self.state.withLock { state in
                state.waiting.append((host, continuation))
                return self.next(&state)
            }?()
        }
    }

    private func next(_ state: inout State) -> (() -> Void)? {
        guard !state.waiting.isEmpty, state.waiting.count == state.running else { return nil }
        self.check(&state)
        // By host: which of them came here first is the threads' doing.
        state.waiting.sort { $0.host < $1.host }
        if self.isPlanned {
            while let next = state.plan.first, next.requests == 0 || state.gone.contains(next.host) {
                state.plan.removeFirst()
            }
            guard let next = state.plan.first, let place = state.waiting.firstIndex(where: { $0.host == next.host })
            else {
                return nil
            }
            state.plan[0].requests -= 1
            let chosen = state.waiting.remove(at: place)
            return { chosen.continuation.resume(returning: true) }
        }
        for host in state.waiting.map(\.host) where state.ranks[host] == nil {
            state.ranks[host] = state.random.next()
        }
        let place = state.waiting.indices.max {
            state.ranks[state.waiting[$0].host] ?? 0 < state.ranks[state.waiting[$1].host] ?? 0
        }
        guard let place else { return nil }
        let chosen = state.waiting.remove(at: place)
        if Int.random(in: 0..<self.row, using: &state.random) == 0 { state.ranks[chosen.host] = state.random.next() }
        if self.kills, Int.random(in: 0..<150, using: &state.random) == 0 { state.dead.insert(chosen.host) }
        // A deletion that somebody sent long ago arrives once more.
        if Int.random(in: 0..<10, using: &state.random) == 0,
            let key = state.deleted.randomElement(using: &state.random)
        {
            self.store.damage(key) { _ in nil }
        }
        let lives = !state.dead.contains(chosen.host)
        return { chosen.continuation.resume(returning: lives) }
    }

    /// Every chunk of every slug that has a record is in a pack.
    private func check(_ state: inout State) {
        let content = self.store.content
        var stored: Set<ChunkID> = []
        for (key, bytes) in content where key.description.hasPrefix(RemoteLayout.packs) {
            let chunks = state.indexes[key] ?? Self.chunks(inPack: bytes)
            state.indexes[key] = chunks
            stored.formUnion(chunks)
        }
        for (key, chunks) in self.needs where content[key] != nil && !chunks.isSubset(of: stored) {
            state.damage = state.damage ?? "\(key) lacks \(chunks.subtracting(stored).count) chunks"
        }
    }

    private static func chunks(inPack bytes: [UInt8]) -> Set<ChunkID> {
        let footer = Array(bytes.suffix(PackFormat.footerBytes))
        guard let place = try? PackFormat.decodeFooter(footer, fileBytes: UInt64(bytes.count)),
            let frames = try? PackFormat.decodeIndex(
                Array(bytes[Int(place.offset)..<Int(place.offset) + place.count]), indexOffset: place.offset)
        else { return [] }
        return Set(frames.flatMap(\.chunks).map(\.id))
    }
}
