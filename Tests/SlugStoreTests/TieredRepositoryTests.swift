import Logging
import SlugStoreTesting
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import SlugStore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite struct TieredRepositoryTests {
    static let metadata = SlugMetadata(processTypes: ["web": "bin/run"])

    static func tree(_ seed: UInt64, files: Int = 40, bytes: Int = 30_000) -> TestTree {
        var random = SeededGenerator(seed: seed)
        var entries: [String: TestTree.Entry] = ["bin/run": .file("#!/bin/sh\n", executable: true)]
        for number in 0..<files { entries["lib/\(number)"] = .file(random.bytes(bytes)) }
        return TestTree(entries)
    }

    static func write(_ tree: TestTree, in directory: FilePath, _ name: String = "tree") throws -> FilePath {
        let path = directory.appending(name)
        try tree.write(to: path)
        return path
    }

    // MARK: Conformance

    @Test(arguments: ObjectStoreConformance.Check.all)
    func `objects in memory and in a directory keep their promises`(check: ObjectStoreConformance.Check) async throws {
        try await withTemporaryDirectory { directory in
            try await check.run(ObjectStoreConformance(workspace: directory, store: InMemoryObjectStore()))
        }
        try await withTemporaryDirectory { directory in
            let store = DirectoryObjectStore(directory: directory.appending("store"), synchronises: false)
            try await check.run(ObjectStoreConformance(workspace: directory, store: store))
        }
    }

    @Test(arguments: SlugRepositoryConformance.Check.all, [TieredSlugRepository.Mode.writeThrough, .writeBack])
    func `a tiered repository keeps its promises`(
        check: SlugRepositoryConformance.Check, mode: TieredSlugRepository.Mode
    ) async throws {
        try await withTemporaryDirectory { directory in
            let store = DirectoryObjectStore(directory: directory.appending("remote"), synchronises: false)
            try await check.run(
                SlugRepositoryConformance(workspace: directory) {
                    makeHost(directory.appending("host"), on: store) { $0.mode = mode }
                })
        }
    }

    // MARK: Several hosts

    @Test func `what one host put, another runs`() async throws {
        try await withTemporaryDirectory { directory in
            let store = InMemoryObjectStore()
            let (one, two) = (
                makeHost(directory.appending("1"), on: store), makeHost(directory.appending("2"), on: store)
            )
            let tree = Self.tree(1)
            let path = try Self.write(tree, in: directory)
            let slug = try await one.put(path, metadata: Self.metadata)
            #expect(try await two.list() == [slug])
            #expect(try await two.summary(of: slug.id) == slug)
            #expect(try await TestTree(readingAt: two.materialise(slug.id).path) == tree)
            try await two.verify(slug.id)

            // The second release: one more file, put by the other host, which sends that file and a bit of manifest.
            let before = store.content.values.reduce(0) { $0 + $1.count }
            var changed = tree.entries
            changed["lib/new"] = .file("print('hello')\n")
            let next = try await two.put(
                try Self.write(TestTree(changed), in: directory, "next"), metadata: Self.metadata)
            let added = store.content.values.reduce(0) { $0 + $1.count } - before
            #expect(added < 20_000, "\(added) bytes were sent")
            #expect(try await TestTree(readingAt: one.materialise(next.id).path) == TestTree(changed))

            // The same tree from a host that has nothing: nothing is sent, and the slug is as old as it was.
            let three = makeHost(directory.appending("3"), on: store)
            let again = try await three.put(path, metadata: Self.metadata)
            #expect(again.newBytesStored == 0 && again.createdAt == slug.createdAt)
            #expect(store.content.keys.filter { $0.description.hasPrefix("packs/") }.count == 2)
            #expect(!store.content.keys.contains { $0.description.hasPrefix("puts/") })

            try await one.remove(slug.id)
            #expect(try await three.list().map(\.id) == [next.id])
            _ = try await three.collectGarbage()
            try await two.verify(next.id)
            let four = makeHost(directory.appending("4"), on: store)
            #expect(try await TestTree(readingAt: four.materialise(next.id).path) == TestTree(changed))
        }
    }

    @Test func `a reader asks for few ranges, and never again for what it has`() async throws {
        try await withTemporaryDirectory { directory in
            let weather = Weather()
            let store = weather.makeStore()
            let tree = Self.tree(2, files: 200, bytes: 60_000)
            let slug = try await makeHost(directory.appending("1"), on: store)
                .put(try Self.write(tree, in: directory), metadata: Self.metadata)
            let reader = makeHost(directory.appending("2"), on: store) {
                $0.limits.requestBytes = 2 << 20
                $0.limits.requests = 1
                $0.limits.heldBytes = 3 << 20
            }
            // The third range of data does not arrive.
            let large = Recorder()
            weather.set { call in
                guard case .read(_, let range) = call, range.count > 100_000, range.count <= 2 << 20 else { return nil }
                large.append(range)
                return large.values.count == 4
                    ? SlugStoreError(code: .remoteUnavailable, message: "The cable was pulled.") : nil
            }
            let error = await slugStoreError { () throws(SlugStoreError) in _ = try await reader.materialise(slug.id) }
            #expect(error?.code == .remoteUnavailable)
            weather.set { call in
                if case .read(_, let range) = call, range.count > 100_000, range.count <= 2 << 20 {
                    large.append(range)
                }
                return nil
            }
            #expect(try await TestTree(readingAt: reader.materialise(slug.id).path) == tree)
            let asked = large.values.reduce(0) { $0 + $1.count }
            let stored = 200 * 60_000
            #expect(asked < stored + (5 << 20), "\(asked) bytes were asked for")
            #expect(large.values.count < 12)

            // What is here needs nobody.
            weather.away()
            #expect(try await TestTree(readingAt: reader.materialise(slug.id).path) == tree)
        }
    }

    // MARK: A remote that is away

    @Test func `while the remote is away, what is here works and the rest says so`() async throws {
        try await withTemporaryDirectory { directory in
            let weather = Weather()
            let store = weather.makeStore()
            let host = makeHost(directory.appending("1"), on: store)
            let path = try Self.write(Self.tree(3, files: 3), in: directory)
            let slug = try await host.put(path, metadata: Self.metadata)
            weather.away()
            _ = try await host.materialise(slug.id)
            let listing = try await host.listing()
            #expect(listing.slugs == [slug] && listing.unseen?.code == .remoteUnavailable)
            #expect(try await host.summary(of: slug.id) == slug)
            let other = try Self.write(Self.tree(4, files: 3), in: directory, "other")
            let failure = await slugStoreError { () throws(SlugStoreError) in
                _ = try await host.put(other, metadata: Self.metadata)
            }
            #expect(failure?.code == .remoteUnavailable)
            #expect(try await host.list() == [slug])
            let removal = await slugStoreError { () throws(SlugStoreError) in try await host.remove(slug.id) }
            #expect(removal?.code == .remoteUnavailable)
            let garbage = await slugStoreError { () throws(SlugStoreError) in _ = try await host.collectGarbage() }
            #expect(garbage?.code == .remoteUnavailable)

            weather.clear()
            let second = try await host.put(other, metadata: Self.metadata)
            #expect(try await host.list().map(\.id) == [slug.id, second.id])
            let reader = makeHost(directory.appending("2"), on: store)
            _ = try await reader.materialise(second.id)
            weather.away()
            let nowhere = makeHost(directory.appending("3"), on: store)
            let missing = await slugStoreError { () throws(SlugStoreError) in _ = try await nowhere.materialise(slug.id)
            }
            #expect(missing?.code == .remoteUnavailable)
        }
    }

    @Test func `a write-back repository puts while the remote is away and sends later, after a restart too`()
        async throws
    {
        try await withTemporaryDirectory { directory in
            let (weather, clock) = (Weather(), ManualClock())
            let store = weather.makeStore()
            func host() -> TieredSlugRepository {
                makeHost(
                    directory.appending("1"), on: store, in: Surroundings(clock: clock, random: { UInt64.max })
                ) {
                    $0.mode = .writeBack
                    $0.limits.pendingSlugs = 2
                }
            }
            weather.away()
            let tree = Self.tree(5, files: 3)
            let first = try await host().put(try Self.write(tree, in: directory), metadata: Self.metadata)
            let second = try await host().put(
                try Self.write(Self.tree(6, files: 3), in: directory, "second"), metadata: Self.metadata)
            let full = await slugStoreError { () throws(SlugStoreError) in
                _ = try await host().put(directory.appending("tree"), metadata: SlugMetadata())
            }
            #expect(full?.code == .limitExceeded)
            let restarted = host()
            #expect(try await restarted.state().pending == [first.id, second.id])
            #expect(try await restarted.list() == [first, second])
            _ = try await restarted.materialise(first.id)
            try await restarted.verify(first.id)
            _ = try await restarted.local.collectGarbage()
            try await restarted.remove(second.id)
            #expect(try await restarted.state().pending == [first.id])

            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await restarted.run() }
                // It fails, and pauses for a second at most, then two.
                await clock.sleepers(atLeast: 1)
                let failed = try await restarted.state()
                #expect(failed.failure?.code == .remoteUnavailable)
                clock.advance(by: .seconds(1))
                await clock.sleepers(atLeast: 1)
                weather.clear()
                clock.advance(by: .seconds(2))
                await clock.sleepers(atLeast: 1)
                let sent = try await restarted.state()
                #expect(sent.pending.isEmpty && sent.failure == nil)
                #expect(store.content.keys.contains(RemoteLayout.record(of: first.id)))
                group.cancelAll()
            }
            let reader = makeHost(directory.appending("2"), on: store)
            #expect(try await TestTree(readingAt: reader.materialise(first.id).path) == tree)
        }
    }

    @Test func `what was put before there was a remote is sent`() async throws {
        try await withTemporaryDirectory { directory in
            let store = InMemoryObjectStore()
            let tree = Self.tree(7, files: 3)
            let slug = try await makeRepository(directory.appending("1"))
                .put(try Self.write(tree, in: directory), metadata: Self.metadata)
            let host = makeHost(directory.appending("1"), on: store)
            #expect(try await host.list() == [slug])
            try await host.drain()
            #expect(try await makeHost(directory.appending("1"), on: store).state().pending.isEmpty)
            let reader = makeHost(directory.appending("2"), on: store)
            #expect(try await TestTree(readingAt: reader.materialise(slug.id).path) == tree)
        }
    }

    // MARK: The cache

    @Test func `the cache gives up what was used least recently and can be fetched again`() async throws {
        try await withTemporaryDirectory { directory in
            let (store, date) = (InMemoryObjectStore(), ManualDate())
            let writer = makeHost(directory.appending("1"), on: store)
            var slugs: [SlugID] = []
            for number in 0..<4 {
                let path = try Self.write(Self.tree(UInt64(10 + number), files: 10), in: directory, "tree-\(number)")
                slugs.append(try await writer.put(path, metadata: Self.metadata).id)
            }
            let kept = slugs[1]
            let reader = makeHost(directory.appending("2"), on: store, in: Surroundings(now: { date.now() })) {
                // Two slugs of 300,000 bytes, with their trees.
                $0.cacheBytes = 1_300_000
                $0.inUse = { [kept] }
            }
            for slug in slugs {
                _ = try await reader.materialise(slug)
                date.advance(by: 1)
            }
            // All were used just now.
            try await reader.trim()
            #expect(try await reader.local.list().count == 4)
            date.advance(by: 895)
            _ = try await reader.materialise(slugs[0])
            date.advance(by: 10)
            try await reader.trim()
            #expect(Set(try await reader.local.list().map(\.id)) == [slugs[0], kept])
            let use = try await reader.local.diskUse()
            #expect(use.packs < 700_000)
            #expect(use.trees == [slugs[0], kept])
            #expect(try await reader.list().count == 4)
            _ = try await reader.materialise(slugs[3])
        }
    }

    // MARK: Damage

    @Test func `a check tells of records in the remote that cannot be read`() async throws {
        try await withTemporaryDirectory { directory in
            let store = InMemoryObjectStore()
            let slug = try await makeHost(directory.appending("1"), on: store)
                .put(try Self.write(Self.tree(26, files: 2), in: directory), metadata: Self.metadata)
            #expect(try await makeHost(directory.appending("2"), on: store).verifyAll().isSound)
            store.damage(RemoteLayout.record(of: slug.id)) { Array($0.dropLast(3)) }
            let report = try await makeHost(directory.appending("3"), on: store).verifyAll()
            #expect(report.damagedSlugs == [slug.id])
            #expect(report.damages.first?.description.contains("remote") == true)
        }
    }

    @Test func `a remote that refuses hides nothing that is found here`() async throws {
        try await withTemporaryDirectory { directory in
            let weather = Weather()
            let path = directory.appending("1")
            let host = makeHost(path, on: weather.makeStore())
            let slug = try await host.put(
                try Self.write(Self.tree(27, files: 2), in: directory), metadata: Self.metadata)
            for pack in try names(in: path.appending("packs")) {
                let file = path.appending("packs").appending(pack)
                var bytes = try file.contents()
                bytes[20] ^= 1
                try file.write(bytes)
            }
            weather.set { _ in SlugStoreError(code: .remoteRefused, message: "The remote says no.") }
            let report = try await makeHost(path, on: weather.makeStore()).verifyAll()
            #expect(report.damagedSlugs == [slug.id])
            #expect(report.damages.last?.description.contains("The remote says no.") == true)
            #expect(report.damages.last?.slugs == [])
        }
    }

    @Test func `notes and indexes that were never finished are removed`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending("1")
            let store = InMemoryObjectStore()
            let slug = try await makeHost(path, on: store).put(
                try Self.write(Self.tree(28, files: 2), in: directory), metadata: Self.metadata)
            let beside = path.appending("remote")
            for name in ["indexes", "journal", "stored", "used"] {
                try beside.appending(name).appending(".1-2-3").write([1])
            }
            // Somebody is at work.
            let lock = try Descriptor.open(beside.appending("lock"), O_RDWR, "")
            try #require(flock(lock.raw, LOCK_SH | LOCK_NB) == 0)
            _ = try await makeHost(path, on: store).list()
            #expect(try names(in: beside.appending("indexes")).contains(".1-2-3"))
            try #require(flock(lock.raw, LOCK_UN) == 0)
            #expect(try await makeHost(path, on: store).list() == [slug])
            for name in ["indexes", "journal", "stored", "used"] {
                #expect(try names(in: beside.appending(name)).allSatisfy { !$0.hasPrefix(".") }, "\(name)")
            }
            #expect(try names(in: beside.appending("indexes")).count == 1)
        }
    }

    @Test func `a damaged remote damages no tree`() async throws {
        try await withTemporaryDirectory { directory in
            let tree = Self.tree(20, files: 10)
            for (number, part) in ["packs/", "slugs/"].enumerated() {
                for position in [0.1, 0.5, 0.999] {
                    let store = InMemoryObjectStore()
                    let slug = try await makeHost(directory.appending("1-\(number)-\(position)"), on: store)
                        .put(try Self.write(tree, in: directory), metadata: Self.metadata)
                    for key in store.content.keys where key.description.hasPrefix(part) {
                        store.damage(key) { bytes in
                            var bytes = bytes
                            bytes[Int(Double(bytes.count) * position)] ^= 1
                            return bytes
                        }
                    }
                    let reader = makeHost(directory.appending("2-\(number)-\(position)"), on: store)
                    do {
                        let found = try await TestTree(readingAt: reader.materialise(slug.id).path)
                        // A hint that is damaged is no harm.
                        #expect(found == tree)
                    } catch let error as SlugStoreError {
                        #expect(error.code == .corrupted, "\(error)")
                    }
                    #expect(try names(in: directory.appending("2-\(number)-\(position)/tmp")).isEmpty)
                }
            }
        }
    }

    @Test func `what the disk of this machine has lost comes back from the remote`() async throws {
        try await withTemporaryDirectory { directory in
            let store = InMemoryObjectStore()
            let tree = Self.tree(23, files: 4)
            let host = makeHost(directory.appending("1"), on: store)
            let slug = try await host.put(try Self.write(tree, in: directory), metadata: Self.metadata)
            let packs = directory.appending("1/packs")
            for name in try names(in: packs) {
                let url = URL(filePath: packs.appending(name).string)
                var bytes = try Data(contentsOf: url)
                bytes[bytes.count / 3] ^= 1
                try bytes.write(to: url)
            }
            #expect(try await TestTree(readingAt: host.materialise(slug.id).path) == tree)
            #expect(try await host.local.verifyAll().isSound)
            // Another host does not come to rely on what is damaged.
            let other = makeHost(directory.appending("2"), on: store)
            #expect(try await TestTree(readingAt: other.materialise(slug.id).path) == tree)
        }
    }

    @Test func `a record that says something else than its slug is refused`() async throws {
        try await withTemporaryDirectory { directory in
            let store = InMemoryObjectStore()
            let slug = try await makeHost(directory.appending("1"), on: store)
                .put(try Self.write(Self.tree(24, files: 2), in: directory), metadata: Self.metadata)
            let key = RemoteLayout.record(of: slug.id)
            store.damage(key) { bytes in
                guard let record = try? RemoteRecord(decoding: bytes, of: slug.id) else { return bytes }
                var changed = record
                changed.record.summary.metadata.processTypes["web"] = "bin/evil"
                return (try? changed.encoded()) ?? bytes
            }
            let reader = makeHost(directory.appending("2"), on: store)
            let error = await slugStoreError { () throws(SlugStoreError) in _ = try await reader.materialise(slug.id) }
            #expect(error?.code == .corrupted)
            #expect(error?.message.contains("something else than its manifest") == true)
        }
    }

    @Test func `a remote that lacks a pack says which chunks, and a put heals it`() async throws {
        try await withTemporaryDirectory { directory in
            let store = InMemoryObjectStore()
            let writer = makeHost(directory.appending("1"), on: store)
            let path = try Self.write(Self.tree(21, files: 4), in: directory)
            let slug = try await writer.put(path, metadata: Self.metadata)
            for key in store.content.keys where key.description.hasPrefix("packs/") { store.damage(key) { _ in nil } }
            let reader = makeHost(directory.appending("2"), on: store)
            let error = await slugStoreError { () throws(SlugStoreError) in _ = try await reader.materialise(slug.id) }
            #expect(error?.code == .corrupted)
            _ = try await writer.put(path, metadata: Self.metadata)
            _ = try await reader.materialise(slug.id)
        }
    }
}

/// Ranges that were asked for.
private final class Recorder: Sendable {
    private let state = Mutex<[Range<Int64>]>([])
    var values: [Range<Int64>] { self.state.withLock { $0 } }
    func append(_ range: Range<Int64>) { self.state.withLock { $0.append(range) } }
}
