#if os(Linux)
    import SlugStoreTesting
    import SystemPackage
    import TestSupport
    import Testing

    @testable import SlugStore

    #if canImport(FoundationEssentials)
        import FoundationEssentials
    #endif
    import Foundation

    /// A real program is stopped, or told of a failure, at each of its system calls in turn; afterwards the repository is as it
    /// was before or as it should be after, and goes on working.
    @Suite(.enabled(if: FaultInjection.isAvailable || FaultInjection.isRequired, "strace is not installed"))
    struct CrashTests {
        enum Operation: String, CaseIterable { case put, get, gc }

        private static let first = TestTree([
            "bin/run": .file("#!/bin/sh\n", executable: true), "lib/text": .file("text"), "current": .link("bin"),
        ])
        private static let removed = TestTree(["lib/old": .file(Array("old text ".utf8) + [UInt8](0...255))])
        private static let second = TestTree(["bin/run": .file("#!/bin/sh\nexec true\n", executable: true)])

        @Test(arguments: Operation.allCases, ["signal=KILL", "error=EIO", "error=ENOSPC"])
        func `a failure at any system call loses nothing`(operation: Operation, fault: String) async throws {
            try await withTemporaryDirectory { directory in
                try Self.first.write(to: directory.appending("first"))
                try Self.removed.write(to: directory.appending("removed"))
                try Self.second.write(to: directory.appending("second"))
                let base = makeRepository(directory.appending("base"))
                let first = try await base.put(directory.appending("first"), metadata: SlugMetadata()).id
                let gone = try await base.put(directory.appending("removed"), metadata: SlugMetadata()).id
                try await base.remove(gone)

                let work = directory.appending("work")
                let arguments: [String] =
                    switch operation {
                    case .put: [work.string, "put", directory.appending("second").string]
                    case .get: [work.string, "get", "\(first)", directory.appending("link").string]
                    case .gc: [work.string, "gc"]
                    }
                var faults = 0
                let calls = fault == "error=ENOSPC" ? FaultInjection.writingCalls : FaultInjection.calls
                for call in calls {
                    var number = try FaultInjection(fault: fault, call: call).callsBefore(arguments, about: work) + 1
                    while true {
                        try? FileManager.default.removeItem(atPath: directory.appending("link").string)
                        try? FileManager.default.removeItem(atPath: work.string)
                        try FileManager.default.copyItem(
                            atPath: directory.appending("base").string, toPath: work.string)
                        guard try FaultInjection(fault: fault, call: call).run(arguments, at: number) else { break }
                        faults += 1
                        let what = "\(fault) at \(call) \(number)"
                        try await self.check(work, operation, first, directory, what)
                        number += 1
                    }
                }
                // Fewer, and it was not the program that was stopped. A collection may have nothing to write.
                #expect(faults >= (fault != "error=ENOSPC" ? 20 : operation == .gc ? 0 : 8))
            }
        }

        private func check(
            _ work: FilePath, _ operation: Operation, _ first: SlugID, _ directory: FilePath, _ what: String
        ) async throws {
            let repository = makeRepository(work)
            #expect(try await repository.verifyAll().isSound, "\(what)")
            let slugs = try await repository.list().map(\.id)
            #expect(slugs.contains(first), "\(what)")
            #expect(try names(in: work.appending("tmp")).isEmpty, "\(what)")
            switch operation {
            case .put:
                let again = try await repository.put(directory.appending("second"), metadata: SlugMetadata()).id
                #expect(slugs.count == 1 || slugs.contains(again), "\(what)")
                #expect(try await TestTree(readingAt: repository.materialise(again).path) == Self.second, "\(what)")
            case .get:
                #expect(try await TestTree(readingAt: repository.materialise(first).path) == Self.first, "\(what)")
            case .gc:
                _ = try await repository.collectGarbage()
                #expect(try names(in: work.appending("removed")).isEmpty, "\(what)")
                #expect(try names(in: work.appending("packs")).count == 1, "\(what)")
            }
            #expect(try await repository.verifyAll().isSound, "\(what)")
            #expect(try await TestTree(readingAt: repository.materialise(first).path) == Self.first, "\(what)")
        }
    }
#endif
