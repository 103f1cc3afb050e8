import ArgumentParser
import Foundation
import Logging
import PlatformKit
import ProcessSupervisor
import SystemPackage
import TestSupport
import Testing

@testable import slipway

extension EndToEnd {
    /// What a host takes from the one before it. What is to be shown in sandboxes is missing, where none is to work.
    @Suite(.timeLimit(.minutes(1)), .enabled(if: getuid() == 0, "only root has users for applications"))
    struct ConfinementTests {
        private typealias Record = FormerConfinement.Record

        private static let broken = ["--show", "/nowhere/at/all"]
        private static let former: ClosedRange<UInt32> = 5_000...5_009

        private func confinement(
            _ arguments: [String], in directory: FilePath, takesOver: Bool = false
        ) async throws -> Confinement {
            let settings = try ServeSettings(
                options: try ServeOptions.parse(["--data", directory.string] + arguments), environment: [:])
            let data = try DataDirectory(path: directory)
            defer { data.unlock() }
            return try await Confinement(
                settings, data: data, executable: nil, takesOver: takesOver, logger: Logger(label: "test"))
        }

        private func withData(_ record: String?, _ body: (FilePath, FilePath) async throws -> Void) async throws {
            try await withTemporaryDirectory { directory in
                let file = directory.appending("confinement.json")
                if let record { try Data(record.utf8).write(to: URL(filePath: file.string)) }
                try await body(directory, file)
            }
        }

        private static func text(_ record: Record) throws -> String {
            String(decoding: try JSONEncoder().encode(record), as: UTF8.self)
        }

        @Test func `users stay in an upgrade, and change with a start`() async throws {
            let record = Record(level: .sandbox, users: Self.former)
            try await self.withData(try Self.text(record)) { directory, file in
                for arguments in [["--application-users", "6000-6009"], ["--application-users", "none"], []] {
                    let taken = try await self.confinement(arguments, in: directory, takesOver: true)
                    #expect(taken.users == Self.former, "\(arguments)")
                }
                // Without being told otherwise, a start has them as well.
                #expect(try await self.confinement([], in: directory).users == Self.former)
                let started = try await self.confinement(["--application-users", "6000-6009"], in: directory)
                #expect(started.users == 6_000...6_009)
                // The next one is told when it serves.
                #expect(try Self.read(file) == record)
                started.remember(Logger(label: "test"))
                #expect(try Self.read(file)?.users == 6_000...6_009)
            }
        }

        @Test func `where nothing works any more, all is as it was, and stays known`() async throws {
            let record = Record(level: .sandbox, users: Self.former, readOnlyReason: "no overlayfs")
            try await self.withData(try Self.text(record)) { directory, file in
                for arguments in [["--application-users", "6000-6009"], ["--application-users", "none"], []] {
                    let found = try await self.confinement(arguments + Self.broken, in: directory)
                    #expect(found.isolation.failure != nil && found.isolation.readOnlyReason == "no overlayfs")
                    #expect(found.users == Self.former, "\(arguments)")
                    found.remember(Logger(label: "test"))
                    #expect(try Self.read(file) == record)
                }
                let error = await #expect(throws: PlatformError.self) {
                    try await self.confinement(Self.broken, in: directory, takesOver: true)
                }
                #expect(
                    error?.message.contains("isolation \"sandbox\" until now, and each application has a user") == true)
            }
        }

        @Test(arguments: ["", "{", "{\"level\":\"jail\"}"])
        func `a record that cannot be read may have been any`(text: String) async throws {
            try await self.withData(text) { directory, file in
                let found = try await self.confinement(Self.broken, in: directory)
                #expect(found.isolation.level == .sandbox && found.isolation.failure != nil)
                found.remember(Logger(label: "test"))
                #expect(try String(contentsOfFile: file.string, encoding: .utf8) == text)
            }
        }

        @Test func `without a record, only instances were promised anything`() async throws {
            try await self.withData(nil) { directory, _ in
                #expect(try await self.confinement(Self.broken, in: directory).isolation.level == .host)
                try FileManager.default.createDirectory(
                    atPath: directory.appending("instances/instances/one").string, withIntermediateDirectories: true)
                #expect(try await self.confinement(Self.broken, in: directory).isolation.level == .sandbox)
            }
        }

        @Test func `a promise of more is known before anything is started by it, and one of less only when it serves`()
            async throws
        {
            for (level, arguments, takesOver, isAtOnce) in [
                (Isolation.Level.host, ["--isolation", "sandbox"], false, true), (.host, [], true, false),
                (.sandbox, [], false, true), (.sandbox, ["--isolation", "host"], false, false),
            ] {
                try await self.withData(try Self.text(Record(level: level))) { directory, _ in
                    let found = try await self.confinement(arguments, in: directory, takesOver: takesOver)
                    #expect(found.promisesAtOnce == isAtOnce, "\(level) \(arguments)")
                }
            }
        }

        @Test func `a level by name that instances have is not left for nothing when it fails`() async throws {
            try await self.withData(try Self.text(Record(level: .sandbox))) { directory, _ in
                let found = try await self.confinement(["--isolation", "sandbox"] + Self.broken, in: directory)
                #expect(found.isolation.level == .sandbox && found.isolation.failure != nil)
            }
            try await self.withData(try Self.text(Record(level: .host))) { directory, _ in
                await #expect(throws: (any Error).self) {
                    try await self.confinement(["--isolation", "sandbox"] + Self.broken, in: directory)
                }
            }
        }

        private static func read(_ file: FilePath) throws -> Record? {
            try JSONDecoder().decode(Record.self, from: try Data(contentsOf: URL(filePath: file.string)))
        }
    }
}
