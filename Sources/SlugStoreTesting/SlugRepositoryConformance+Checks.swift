import SlugStore
import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension SlugRepositoryConformance.Check {
    /// All promises.
    public static let all: [Self] = [
        Self("a tree comes back as it was put") { suite in
            let repository = try await suite.makeRepository()
            let path = try suite.write(SlugRepositoryConformance.sample)
            let summary = try await repository.put(path, metadata: SlugRepositoryConformance.metadata)
            let slug = try await repository.materialise(summary.id)
            try requireEqual(slug.id, summary.id, "the materialised slug")
            try requireEqual(
                try TestTree(readingAt: slug.path), SlugRepositoryConformance.sample, "the materialised tree")
            try await repository.verify(summary.id)
        },
        Self("an empty tree is a slug") { suite in
            let repository = try await suite.makeRepository()
            let summary = try await repository.put(try suite.write(TestTree([:])), metadata: SlugMetadata())
            try requireEqual(summary.files, 0, "files")
            let slug = try await repository.materialise(summary.id)
            try requireEqual(try TestTree(readingAt: slug.path), TestTree([:]), "the materialised tree")
        },
        Self("the same tree is the same slug, and other metadata another") { suite in
            let repository = try await suite.makeRepository()
            let sample = SlugRepositoryConformance.sample
            let metadata = SlugRepositoryConformance.metadata
            let first = try await repository.put(try suite.write(sample, "here"), metadata: metadata)
            let second = try await repository.put(try suite.write(sample, "there", reversed: true), metadata: metadata)
            try requireEqual(second.id, first.id, "the identifier of the same tree in another place")
            try requireEqual(second.newBytesStored, 0, "what the second put added")
            try requireEqual(second.createdAt, first.createdAt, "the time of the slug that was there already")
            let other = try await repository.put(suite.workspace.appending("here"), metadata: SlugMetadata())
            try require(other.id != first.id, "other metadata gave the same identifier")
            try requireEqual(try await repository.list().count, 2, "the number of slugs")
        },
        Self("the summary says what the slug is") { suite in
            let repository = try await suite.makeRepository()
            let sample = SlugRepositoryConformance.sample
            let summary = try await repository.put(
                try suite.write(sample), metadata: SlugRepositoryConformance.metadata)
            try requireEqual(summary.files, sample.files, "files")
            try requireEqual(summary.bytes, sample.bytes, "bytes")
            try requireEqual(summary.metadata, SlugRepositoryConformance.metadata, "metadata")
            try require(
                summary.newBytesStored >= 600_000 && summary.newBytesStored < 1_000_000,
                "600,000 bytes that do not compress, twice, took \(summary.newBytesStored)")
            try requireEqual(try await repository.summary(of: summary.id), summary, "the stored summary")
            try requireEqual(try await repository.list(), [summary], "the list")
            let again = try await suite.makeRepository()
            try requireEqual(try await again.summary(of: summary.id), summary, "what another repository object finds")
        },
        Self("the contents are those of the tree") { suite in
            let repository = try await suite.makeRepository()
            let sample = SlugRepositoryConformance.sample
            let id = try await repository.put(try suite.write(sample), metadata: SlugMetadata()).id
            let contents = try await repository.contents(of: id)
            try requireEqual(Set(contents.map(\.path.string)), Set(sample.entries.keys), "paths")
            try requireEqual(contents.reduce(0) { $0 + $1.bytes }, sample.bytes, "bytes")
            var changed = sample.entries
            changed["bin/run"] = .file("#!/bin/sh\n", executable: true)
            changed["new"] = .file("new")
            let second = try await repository.put(
                try suite.write(TestTree(changed), "second"), metadata: SlugMetadata()
            ).id
            let difference = try await repository.difference(from: id, to: second)
            try requireEqual(difference.added.map(\.path), ["new"], "what was added")
            try requireEqual(difference.removed, [], "what was removed")
            try requireEqual(difference.changed.map(\.new.path), ["bin/run"], "what was changed")
        },
        Self("signatures stay with their slug") { suite in
            let repository = try await suite.makeRepository()
            let id = try await repository.put(
                try suite.write(SlugRepositoryConformance.sample), metadata: SlugMetadata()
            ).id
            let signers = [SlugSigner(), SlugSigner()]
            try requireEqual(try await repository.signatures(of: id), [], "signatures of a slug that nobody signed")
            for signer in signers { try await repository.sign(id, by: signer) }
            let again = try await suite.makeRepository()
            let signatures = try await again.signatures(of: id)
            try requireEqual(
                Set(signatures.map(\.publicKey)), Set(signers.map(\.publicKey)), "the keys that have signed")
            try require(signatures.allSatisfy { $0.isValid(for: id) }, "a signature is not what it was")
            var wrong = signatures[0]
            wrong.signature[0] ^= 1
            try await SlugRepositoryConformance.expect(.untrusted, "a wrong signature") {
                [wrong] () throws(SlugStoreError) in
                try await repository.add(wrong, to: id)
            }
        },
        Self("progress only grows and ends with everything") { suite in
            let repository = try await suite.makeRepository()
            let sample = SlugRepositoryConformance.sample
            let progress = Recorder<SlugProgress>()
            _ = try await repository.put(
                try suite.write(sample), metadata: SlugMetadata(), progress: { progress.append($0) })
            let reports = progress.values
            for (before, after) in zip(reports, reports.dropFirst()) {
                try require(
                    before.bytesRead <= after.bytesRead && before.files <= after.files
                        && before.bytesNew <= after.bytesNew && before.bytesReused <= after.bytesReused,
                    "progress went from \(before) to \(after)")
            }
            guard let last = reports.last else { throw Violation("no progress was reported") }
            try requireEqual(last.files, sample.files, "files in the last report")
            try requireEqual(last.bytesRead, sample.bytes, "bytes read in the last report")
            try requireEqual(last.bytesNew + last.bytesReused, sample.bytes, "bytes new and reused in the last report")
        },
        Self("a small change stores little") { suite in
            let repository = try await suite.makeRepository()
            let path = try suite.write(SlugRepositoryConformance.sample)
            _ = try await repository.put(path, metadata: SlugMetadata())
            var changed = SlugRepositoryConformance.bigFile
            changed.insert(contentsOf: [1, 2, 3], at: 300_000)
            try TestTree(["lib/big": .file(changed)]).write(to: path)
            let second = try await repository.put(path, metadata: SlugMetadata())
            try require(
                second.newBytesStored < 400_000, "three bytes inserted into 600,000 stored \(second.newBytesStored)")
        },
        Self("concurrent puts of the same tree are one slug") { suite in
            let repository = try await suite.makeRepository()
            let path = try suite.write(SlugRepositoryConformance.sample)
            let ids = try await withThrowingTaskGroup(of: SlugID.self, returning: Set<SlugID>.self) { group in
                for _ in 0..<4 {
                    group.addTask { try await repository.put(path, metadata: SlugMetadata()).id }
                }
                return try await group.reduce(into: []) { $0.insert($1) }
            }
            try requireEqual(ids.count, 1, "identifiers")
            try requireEqual(try await repository.list().count, 1, "slugs")
            for id in ids { try await repository.verify(id) }
        },
        Self("concurrent materialisations share one tree") { suite in
            let repository = try await suite.makeRepository()
            let id = try await repository.put(
                try suite.write(SlugRepositoryConformance.sample), metadata: SlugMetadata()
            ).id
            let paths = try await withThrowingTaskGroup(of: FilePath.self, returning: Set<FilePath>.self) { group in
                for _ in 0..<4 { group.addTask { try await repository.materialise(id).path } }
                return try await group.reduce(into: []) { $0.insert($1) }
            }
            try requireEqual(paths.count, 1, "paths")
            for path in paths {
                try requireEqual(try TestTree(readingAt: path), SlugRepositoryConformance.sample, "the tree")
            }
        },
        Self("a removed slug is gone and the others stay") { suite in
            let repository = try await suite.makeRepository()
            var random = SeededGenerator(seed: 8)
            let shared = TestTree(["shared": .file(SlugRepositoryConformance.bigFile)])
            let both = TestTree(shared.entries.merging(["own": .file(random.bytes(900_000))]) { $1 })
            let path = try suite.write(both)
            let first = try await repository.put(path, metadata: SlugMetadata()).id
            let second = try await repository.put(try suite.write(shared, "second"), metadata: SlugMetadata()).id
            let tree = try await repository.materialise(first).path
            try await repository.remove(first)
            try require(
                (try? TestTree(readingAt: tree)) == nil, "the materialised tree of a removed slug is still there")
            try requireEqual(try await repository.list().map(\.id), [second], "slugs")
            let report = try await repository.collectGarbage()
            try requireEqual(report.slugs, 1, "slugs that the garbage collection counted")
            try require(report.chunks > 0, "no chunks were freed")
            try require(report.bytes > 800_000, "of 900,000 bytes that do not compress, \(report.bytes) were freed")
            try await repository.verify(second)
            let slug = try await repository.materialise(second)
            try requireEqual(try TestTree(readingAt: slug.path), shared, "the tree that stays")
            try requireEqual(try await repository.collectGarbage(), GarbageReport(), "what a second collection frees")
            let again = try await repository.put(path, metadata: SlugMetadata()).id
            try requireEqual(again, first, "the identifier of the removed tree, put again")
            try await repository.verify(again)
        },
        Self("what is not there is not found") { suite in
            let repository = try await suite.makeRepository()
            guard let id = SlugID("sha256:" + String(repeating: "0", count: 64)) else { return }
            try await SlugRepositoryConformance.expect(.notFound, "materialise") { () throws(SlugStoreError) in
                _ = try await repository.materialise(id)
            }
            try await SlugRepositoryConformance.expect(.notFound, "summary") { () throws(SlugStoreError) in
                _ = try await repository.summary(of: id)
            }
            try await SlugRepositoryConformance.expect(.notFound, "verify") { () throws(SlugStoreError) in
                try await repository.verify(id)
            }
            try await SlugRepositoryConformance.expect(.notFound, "remove") { () throws(SlugStoreError) in
                try await repository.remove(id)
            }
        },
        Self("a cancelled put stores nothing") { suite in
            let repository = try await suite.makeRepository()
            let path = try suite.write(SlugRepositoryConformance.sample)
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                _ = try await repository.put(path, metadata: SlugMetadata())
            }
            do {
                try await task.value
                throw Violation("a cancelled put did not throw")
            } catch let error as SlugStoreError {
                try requireEqual(error.code, .cancelled, "the error of a cancelled put")
            }
            try requireEqual(try await repository.list(), [], "slugs")
        },
    ]
}
