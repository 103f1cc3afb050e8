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
        return try await self.writing { records in
            // It may have been given one, or been deleted, since it was read.
            guard var current = try records.application(id: id) else { return nil }
            if let user = current.user, range.contains(user) { return user }
            let taken = Set(try records.applications().compactMap(\.user))
            guard let user = Self.freeUser(in: range, taken: taken) else {
                throw PlatformError(
                    .limit,
                    "the \(range.count) users from \(range.lowerBound) to \(range.upperBound) all belong to applications; \(current.name) needs one as well: make the range larger (--application-users)"
                )
            }
            current.user = user
            try records.save(current)
            return user
        }
    }

    /// The one after the last, so that the number of a deleted application comes back as late as possible: files of that one
    /// may be left somewhere.
    static func freeUser(in range: ClosedRange<UInt32>, taken: Set<UInt32>) -> UInt32? {
        let highest = taken.filter(range.contains).max()
        if let highest, highest < range.upperBound { return highest + 1 }
        return highest == nil ? range.lowerBound : range.first { !taken.contains($0) }
    }
}
