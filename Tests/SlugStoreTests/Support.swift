import Logging
import SlugStoreTesting
import SystemPackage

@testable import SlugStore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A repository that does not wait for the disk, in `directory`.
func makeRepository(
    _ directory: FilePath, _ adjust: (inout LocalSlugRepository.Configuration) -> Void = { _ in }
) -> LocalSlugRepository {
    var configuration = LocalSlugRepository.Configuration(directory: directory)
    configuration.synchronises = false
    adjust(&configuration)
    return LocalSlugRepository(
        configuration: configuration, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
}

/// The error that `body` throws; `nil` if it throws none.
func slugStoreError(_ body: () async throws(SlugStoreError) -> Void) async -> SlugStoreError? {
    do throws(SlugStoreError) {
        try await body()
        return nil
    } catch {
        return error
    }
}

/// The names in a directory, sorted.
func names(in directory: FilePath) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory.string).sorted()
}
