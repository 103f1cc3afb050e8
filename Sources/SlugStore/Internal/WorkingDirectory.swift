package import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A directory for one operation, which is gone afterwards.
package enum WorkingDirectory {
    /// What they are called, before the process and a number.
    static let name = "slipway-work"

    /// Gives `body` the path of a directory that is still to be made, in a new one in `parent`, which is removed with all that is in it
    /// when `body` has returned or thrown. What is made beside that path at first goes with it, too.
    package static func with<R: Sendable>(
        in parent: FilePath, _ body: (FilePath) async throws(SlugStoreError) -> R
    ) async throws(SlugStoreError) -> R {
        let (directory, made) = try await BlockingWork.run { (_) throws(SlugStoreError) in try self.make(in: parent) }
        let result: Result<R, SlugStoreError>
        do throws(SlugStoreError) {
            result = .success(try await body(directory.appending("tree")))
        } catch {
            result = .failure(error)
        }
        // Also when the task is cancelled, for which no thread gives up.
        await self.remove(directory)
        withExtendedLifetime(made) {}
        return try result.get()
    }

    private static func make(
        in directory: FilePath
    ) throws(SlugStoreError) -> (path: FilePath, made: Descriptor) {
        let what = "Making a directory in \(directory)"
        let parent = try Descriptor.directory(at: directory)
        Leftovers.directories.sweep(parent)
        var number = 0
        while true {
            number += 1
            let name = "\(Self.name)-\(getpid())-\(number)"
            do throws(SlugStoreError) {
                try parent.makeDirectory(name.utf8, mode: 0o700, what)
                let made = try parent.open(name.utf8, O_RDONLY | O_DIRECTORY, what)
                Leftovers.claim(made)
                return (directory.appending(name), made)
            } catch {
                guard error.cause as? Errno == .fileExists, number < 10_000 else { throw error }
            }
        }
    }

    private static func remove(_ directory: FilePath) async {
        guard let name = directory.lastComponent?.string else { return }
        _ = try? await BlockingWork.run { (_) throws(SlugStoreError) in
            try TreeRemover.remove(name.utf8, in: try Descriptor.directory(at: directory.removingLastComponent()))
        }
    }
}
