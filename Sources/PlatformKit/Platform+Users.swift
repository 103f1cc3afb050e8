#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension Platform {
    /// The user of an application: the one that it has, or one that no other has, which it then keeps for life.
    ///
    /// - Returns: `nil` where applications have none.
    /// - Throws: `limit` when the configured range is used up.
    func user(of application: ApplicationRecord) async throws(PlatformError) -> UInt32? {
        guard let range = self.configuration.applicationUsers else { return nil }
        if let user = application.user, range.contains(user) { return user }
        let id = application.id
        // Also those of instances that outlived their application, or its former number, and still end.
        let running = self.runtime.instancesByApplication().filter { $0.key != id }.values.joined()
            .filter { !$0.isOver }.compactMap(\.user)
        return try await self.writing { records in
            // It may have been given one, or been deleted, since it was read.
            guard var current = try records.application(id: id) else {
                throw PlatformError(.notFound, "the application was destroyed")
            }
            if let user = current.user, range.contains(user) { return user }
            let taken = Set(try records.applications().compactMap(\.user)).union(running)
            guard let user = Self.freeUser(in: range, taken: taken, for: id) else {
                throw PlatformError(
                    .limit,
                    "the \(range.count - 1) users from \(range.lowerBound + 1) to \(range.upperBound) all belong to applications, or to instances that still end; \(current.name) needs one as well: make the range larger (--application-users)"
                )
            }
            current.user = user
            try records.save(current)
            return user
        }
    }

    /// The first free one from where the application's identifier, which is chance, points to: the number of a deleted
    /// application does not come back with the next, for files of that one may be left somewhere. The first of the range is given
    /// to none: a host tries as that one what works.
    static func freeUser(in range: ClosedRange<UInt32>, taken: Set<UInt32>, for id: String) -> UInt32? {
        // FNV-1a: the same in every process.
        let hash = id.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        guard let first = range.dropFirst().first else { return nil }
        let start = first + UInt32(hash % UInt64(range.count - 1))
        return (start...range.upperBound).first { !taken.contains($0) }
            ?? (first..<start).first { !taken.contains($0) }
    }
}
