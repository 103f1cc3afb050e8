internal import GRDB
public import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// A ``PlatformStore`` in one SQLite file, in write-ahead-log mode.
///
/// Thread-safe. The file and its schema are made on first use and migrated by later versions; a file that was written
/// by a newer version is refused.
public final class SQLitePlatformStore: PlatformStore {
    private let database: any DatabaseWriter

    /// Opens or makes the file.
    ///
    /// - Throws: ``PlatformError`` when the file cannot be opened or was written by a newer version.
    public init(path: FilePath) throws(PlatformError) {
        do {
            var configuration = GRDB.Configuration()
            configuration.busyMode = .timeout(10)
            configuration.prepareDatabase { database in
                // The journal promises that what it says survives a power cut.
                try database.execute(sql: "PRAGMA synchronous = FULL")
                try database.execute(sql: "PRAGMA foreign_keys = ON")
            }
            self.database = try DatabasePool(path: path.string, configuration: configuration)
            try Self.migrate(self.database)
        } catch {
            throw PlatformError(
                .internalError, "cannot open the platform's state in \(path): \(error)", cause: error)
        }
    }

    /// Keeps everything in memory; for tests.
    public init() throws(PlatformError) {
        do {
            self.database = try DatabaseQueue()
            try Self.migrate(self.database)
        } catch {
            throw PlatformError(.internalError, "cannot make a database in memory: \(error)", cause: error)
        }
    }

    private static func migrate(_ database: any DatabaseWriter) throws {
        let migrator = PlatformMigrations.all
        if try database.read({ try migrator.hasBeenSuperseded($0) }) {
            throw PlatformError(
                .invalid, "the state was written by a newer version of this program; start that version instead")
        }
        try migrator.migrate(database)
    }

    /// Looks at one consistent moment of the file.
    public func read<R: Sendable>(
        _ body: @escaping @Sendable (any PlatformRecordsReading) throws -> R
    ) async throws -> R {
        try await self.database.read { try body(SQLiteRecords(database: $0)) }
    }

    /// Changes the file in one durable transaction.
    public func write<R: Sendable>(
        _ body: @escaping @Sendable (any PlatformRecordsWriting) throws -> R
    ) async throws -> R {
        try await self.database.write { try body(SQLiteRecords(database: $0)) }
    }
}
