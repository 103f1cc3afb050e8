import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Remembers which packs hold what no reference reaches any more, and since when.
///
/// A file in the repository, one pack a line: its name and the second since 1970 in which it was put aside. When the file
/// is lost, the packs count as ordinary ones, whose unreachable objects are put aside anew.
struct KeptPacks {
    private let file: FilePath
    private(set) var since: [String: Date] = [:]

    init(repository: FilePath) {
        self.file = repository.appending("unreachable-packs")
        guard let text = try? String(contentsOfFile: self.file.string, encoding: .utf8) else { return }
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count == 2, let seconds = UInt32(fields[1]) else { continue }
            self.since[String(fields[0])] = Date(timeIntervalSince1970: Double(seconds))
        }
    }

    mutating func add(_ pack: String, at time: Date) { self.since[pack] = time }

    /// Makes packs ordinary ones again, because what is in them was pushed once more: should it be lost again, its
    /// time begins anew.
    static func forget(_ packs: [String], of repository: FilePath) throws(GitReceiverError) {
        var kept = KeptPacks(repository: repository)
        let count = kept.since.count
        for pack in packs { kept.since[pack] = nil }
        if kept.since.count < count { try kept.save() }
    }

    /// Forgets packs that are not there any more.
    mutating func keepOnly(_ packs: Set<String>) { self.since = self.since.filter { packs.contains($0.key) } }

    /// Writes the file in one step.
    func save() throws(GitReceiverError) {
        let lines = self.since.sorted { $0.key < $1.key }.map { "\($0.key) \(Int($0.value.timeIntervalSince1970))\n" }
        do {
            try Data(lines.joined().utf8).write(to: URL(fileURLWithPath: self.file.string), options: .atomic)
        } catch {
            throw GitReceiverError(.storage, "The list of unreachable packs could not be written.", cause: error)
        }
    }
}
