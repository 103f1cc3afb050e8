import Foundation
import Logging
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import GitReceiver

/// What a fetch or a maintenance may cost, and what limits do not make unreadable.
@Suite(.timeLimit(.minutes(2)))
struct `A cost of packs` {
    /// A pack of a large file and many that are deltas of it; returns the commit, the file's name and the others'.
    private func deltas(_ fixture: Fixture, count: Int) async throws -> (
        commit: [UInt8], base: [UInt8], names: [[UInt8]]
    ) {
        var writer = PackWriter()
        let data = [UInt8](repeating: 65, count: 300)
        let base = writer.add(.blob, data)
        var names: [[UInt8]] = []
        for number in 0..<count {
            let byte = UInt8(number)
            writer.addDelta(base: base, PackWriter.varint(300) + PackWriter.varint(301) + [0xB0, 44, 1, 1, byte])
            names.append(PackWriter.name(.blob, data + [byte]))
        }
        let entries = ([base] + names).enumerated().map { ("100644", Array("\(1000 + $0.offset)".utf8), $0.element) }
        let commit = writer.commit(writer.tree(entries))
        #expect(try await RawClient(server: fixture.server).push(commit, writer.finished()).report.first == "unpack ok")
        return (commit, base, names)
    }

    private func assembly(
        _ names: [[UInt8]], _ fixture: Fixture, time: Duration
    ) throws -> PackAssembly {
        let catalog = try PackCatalog(PackDirectory(repository: fixture.repository))
        let contents = try catalog.find(names.compactMap { ObjectID(raw: $0) }) { () throws(GitReceiverError) in }
        return PackAssembly(
            contents, depthLimit: 50,
            options: .init(makingTime: time, clock: ContinuousClock(), spoolDirectory: fixture.repository))
    }

    @Test func `of objects that are made anew ends with its time, or when it is told to`() async throws {
        try await withFixture { fixture in
            // Without their base each of them has to be made.
            let names = try await self.deltas(fixture, count: 20).names
            let loose: PackAssembly.Loose = { (_) throws(GitReceiverError) in
                throw GitReceiverError(.notFound, "no loose object")
            }
            var late = try self.assembly(names, fixture, time: .seconds(-1))
            #expect {
                try late.next(loose: loose) { () throws(GitReceiverError) in }
            } throws: { ($0 as? GitReceiverError)?.code == .deadlineExceeded }
            var asked = 0
            var stopped = try self.assembly(names, fixture, time: .seconds(60))
            #expect {
                try stopped.next(loose: loose) { () throws(GitReceiverError) in
                    asked += 1
                    if asked == 15 { throw GitReceiverError(.cancelled, "stopped") }
                }
            } throws: { ($0 as? GitReceiverError)?.code == .cancelled }
            var whole = try self.assembly(names, fixture, time: .seconds(60))
            let pack = try whole.next(loose: loose) { () throws(GitReceiverError) in }
            #expect(pack.prefix(12).last == 20)
            #expect(try whole.next(loose: loose) { () throws(GitReceiverError) in }.isEmpty)
        }
    }

    @Test func `of a base is paid once for all that build on it`() async throws {
        try await withFixture { fixture in
            let (_, base, names) = try await self.deltas(fixture, count: 3)
            let pack = try #require(try PackCatalog(PackDirectory(repository: fixture.repository)).packs.first)
            func offset(_ name: [UInt8]) throws -> Int {
                let oid = try #require(ObjectID(raw: name))
                return try pack.index.offset(try #require(pack.index.find(oid)))
            }
            var bases = BaseCache()
            let one = try pack.object(at: try offset(names[0]), bases: &bases) { () throws(GitReceiverError) in }
            let kept = try #require(bases.find(pack, try offset(base)))
            _ = try pack.object(at: try offset(names[1]), bases: &bases) { () throws(GitReceiverError) in }
            #expect(bases.find(pack, try offset(base))?.data === kept.data && one.data.count == 301)
            let big = try ObjectBuffer(count: 20 << 20)
            bases.insert(pack, 1, .blob, big)
            #expect(bases.find(pack, 1)?.data === big)
            let noBase = bases.find(pack, try offset(base)) == nil
            #expect(noBase, "There is no room beside what is larger than all.")
        }
    }

    @Test func `does not make unreadable what is stored, though limits are lower now`() async throws {
        try await withFixture { fixture in
            let (commit, _, _) = try await self.deltas(fixture, count: 20)
            var configuration = GitServer.Configuration(root: fixture.directory.appending("repositories"))
            configuration.limits.objectBytes = 10
            configuration.limits.deltaDepth = 0
            configuration.maintenance.grace = .zero
            let next = try GitServer(
                configuration: configuration, handler: fixture.handler,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            for _ in 0..<2 {
                let answer = try await RawFetch(wants: [PackWriter.hex(commit)]).run(next)
                #expect(answer.error == "" && answer.progress.hasPrefix("Total 23 (delta 0)"), "\(answer)")
                try await next.maintain("app")
            }
        }
    }

    @Test func `is that of one pack if another is damaged which has the same objects`() async throws {
        try await withFixture { fixture in
            let (_, base, _) = try await self.deltas(fixture, count: 1)
            let first = fixture.packs[0]
            var writer = PackWriter()
            let blob = writer.add(.blob, [UInt8](repeating: 65, count: 300))
            let commit = writer.commit(writer.tree([("100644", Array("again".utf8), blob)]))
            let client = RawClient(server: fixture.server)
            let report = try await client.push(commit, writer.finished(), to: "refs/heads/again").report
            #expect(report.first == "unpack ok", "\(report)")
            let path = fixture.repository.appending("objects").appending("pack").appending(first)
            var bytes = try Data(contentsOf: URL(fileURLWithPath: path.string))
            // No object has the type 0.
            bytes[12] &= 0x8F
            try FileManager.default.removeItem(atPath: path.string)
            try bytes.write(to: URL(fileURLWithPath: path.string))
            try Files.setTime(path, to: 1_000_000_000)
            let oid = try #require(ObjectID(raw: base))
            let directory = PackDirectory(repository: fixture.repository)
            #expect(throws: GitReceiverError.self) {
                try PackCatalog(directory).find([oid]) { () throws(GitReceiverError) in }
            }
            let found = try PackCatalog(directory, skipsDamaged: true).find([oid]) { () throws(GitReceiverError) in }
            #expect(found.packs.count == 1 && found.packs[0].name + ".pack" != first && found.entries[0].pack == 0)
        }
    }

    @Test func `of a maintenance that fails every time is paid less and less often`() throws {
        let queue = MaintenanceQueue(limit: 10)
        let name = try RepositoryName("app")
        var ran = 0
        for _ in 0..<100 where queue.ask(for: name) {
            queue.begin(name)
            queue.end(name, failed: true)
            ran += 1
        }
        #expect(ran == 7)
        queue.end(name, failed: false)
        #expect(queue.ask(for: name))
    }
}
