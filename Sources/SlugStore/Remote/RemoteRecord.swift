#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A slug's record in a remote: a local record, and which packs hold what the slug needs, so that a reader need look at no
/// others. That is a hint: packs are merged and go, and then a reader looks at all of them.
struct RemoteRecord: Sendable {
    struct Hint: Codable, Hashable, Sendable {
        var pack: String
        var bytes: Int64
    }

    var record: SlugRecord
    var hints: [Hint]

    func encoded() throws(SlugStoreError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return try self.record.encoded() + Array(try encoder.encode(self.hints)) + [0x0a]
        } catch let error as SlugStoreError {
            throw error
        } catch {
            throw SlugStoreError(
                code: .inputOutput, message: "Encoding the record of \(self.record.summary.id).", cause: error)
        }
    }

    init(record: SlugRecord, hints: [Hint]) {
        self.record = record
        self.hints = hints
    }

    /// Reads a record that must be the one of `id`.
    init(decoding bytes: [UInt8], of id: SlugID) throws(SlugStoreError) {
        // The record is two lines, the hints are the third.
        let ends = bytes.indices.filter { bytes[$0] == 0x0a }
        guard ends.count == 3, ends[2] == bytes.count - 1 else {
            throw .corrupted("The record of \(id) in the remote is damaged. Remove the slug and deploy it again.")
        }
        self.record = try SlugRecord(decoding: Array(bytes[...ends[1]]), of: id)
        // Hints that cannot be read are as good as none.
        self.hints =
            (try? JSONDecoder().decode([Hint].self, from: Data(bytes[(ends[1] + 1)..<ends[2]])).filter {
                PackName($0.pack) != nil && $0.bytes > 0
            }) ?? []
    }
}
