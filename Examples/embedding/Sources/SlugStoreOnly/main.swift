import Logging
import SlugStore
import SystemPackage

let arguments = CommandLine.arguments
if arguments.count == 3 {
    let repository = LocalSlugRepository(
        configuration: .init(directory: FilePath(arguments[1])), logger: Logger(label: "slugs"))
    let slug = try await repository.put(FilePath(arguments[2]), metadata: SlugMetadata())
    print(slug.id)
} else {
    print("usage: SlugStoreOnly REPOSITORY TREE")
}
