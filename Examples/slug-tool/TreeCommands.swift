import SlugStore
import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Trees into the repository and out of it, and what they hold.
struct TreeCommands {
    let repository: any SlugRepository

    /// - Returns: Whether it is a command of these.
    func run(_ command: String, _ arguments: Arguments) async throws -> Bool {
        let (repository, words) = (self.repository, arguments.words)
        func find(_ text: String) async throws -> SlugID { try await SlugTool.find(text, in: repository) }
        switch (command, words.count) {
        case ("put", 1):
            SlugTool.say(try await repository.put(FilePath(words[0]), metadata: SlugMetadata()))
        case ("list", 0):
            for slug in try await repository.list() {
                print(slug.id.shortDescription, slug.files, slug.bytes, slug.newBytesStored, slug.createdAt)
            }
        case ("get", 2):
            let slug = try await repository.materialise(try await find(words[0]))
            let target =
                slug.path.isAbsolute ? slug.path : FilePath(FileManager.default.currentDirectoryPath).pushing(slug.path)
            try FileManager.default.createSymbolicLink(atPath: words[1], withDestinationPath: target.string)
            print(target)
        case ("export", 2):
            guard let compression = TreeArchiver.Compression(fileName: words[1]) else {
                throw Arguments.Unknown(description: "\(words[1]) is not named .tar, .tar.gz or .tar.zst.")
            }
            let slug = try await find(words[0])
            print(try await repository.export(slug, to: FilePath(words[1]), compression: compression), "bytes")
        case ("import", 1) where !ImageCommands.isLayout(words[0]):
            try arguments.allow([])
            SlugTool.say(
                try await repository.importArchive(
                    FilePath(words[0]), metadata: SlugMetadata(), workingIn: Places.temporary))
        case ("files", 1):
            for entry in try await repository.contents(of: try await find(words[0])) {
                print(printable(entry.path.string.utf8), entry.bytes)
            }
        case ("diff", 2):
            let difference = try await repository.difference(
                from: try await find(words[0]), to: try await find(words[1]))
            for entry in difference.added { print("+", printable(entry.path.string.utf8), entry.bytes) }
            for entry in difference.removed { print("-", printable(entry.path.string.utf8), entry.bytes) }
            for change in difference.changed { print("~", printable(change.new.path.string.utf8), change.new.bytes) }
        default:
            return false
        }
        return true
    }
}
