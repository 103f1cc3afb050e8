// A slug repository from the command line: what SlugStore does, and nothing besides.
import Logging
import SlugStore
import SlugStoreRemotes
import SystemPackage
import UnixSignals

// Without all of Foundation, which a program of milliseconds would spend most of them loading.
#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

@main
struct SlugTool {
    static let usage = """
        usage: slug-tool REPOSITORY put DIRECTORY      store a tree and print its slug
               slug-tool REPOSITORY list               every slug: identifier, files, bytes, bytes that storing it took
               slug-tool REPOSITORY get SLUG LINK      make the slug's tree and a link to it
               slug-tool REPOSITORY export SLUG FILE   write the slug's tree as .tar, .tar.gz or .tar.zst
               slug-tool REPOSITORY import FILE        store the tree of a .tar, .tar.gz, .tar.zst or .zip
               slug-tool REPOSITORY import LAYOUT [--name NAME] [--path PATH] [--platform OS/ARCH] [--keep-links]
                                                       store a container image of an OCI layout
               slug-tool REPOSITORY image SLUG DIRECTORY [BASE]
                                                       make container images in an OCI layout, on those of another or on none
               slug-tool REPOSITORY push SLUG oci://REGISTRY/NAME[:TAG] [--type TYPE] [--base LAYOUT] [--mount-from NAME]
                                                       make container images and send them to a registry: the default process
                                                       type's as TAG, each type's as TAG-TYPE; with --type, that one's as TAG
               slug-tool REPOSITORY pull oci://REGISTRY/NAME[:TAG|@DIGEST] [--path PATH] [--platform OS/ARCH] [--keep-links]
                                                       store a container image of a registry
               slug-tool REPOSITORY files SLUG         what is in the slug
               slug-tool REPOSITORY diff SLUG SLUG     what the second has that the first has not
               slug-tool REPOSITORY sign SLUG FILE     sign the slug with the key in the file, which is made if it is missing
               slug-tool REPOSITORY verify [SLUG]      read and check everything that is stored
               slug-tool REPOSITORY repair OTHER       bring what is damaged in a directory back from another repository
               slug-tool REPOSITORY remove SLUG
               slug-tool REPOSITORY gc                 free what no slug needs
        SLUG may be shortened. REPOSITORY is a directory, or an address that hosts share:
          s3://BUCKET/PREFIX?region=REGION with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment,
          oci://REGISTRY/NAME with REGISTRY_USER and REGISTRY_PASSWORD, or what ~/.docker/config.json has, if it asks.
        REGISTRY_USER and REGISTRY_PASSWORD are for one registry: REPOSITORY's if that is one, otherwise the one that is named after
        the command; ~/.docker/config.json is for all others. A registry on this machine is spoken to in clear text, any other over
        TLS. What comes from a shared address is kept in the directory SLUG_CACHE (slug-cache by default). PATH is the directory of
        the image that becomes the slug, for example /app; --keep-links keeps links that lead out of it.
        """

    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count >= 2 else { fail(self.usage, status: 64) }
        let places = Places(environment: ProcessInfo.processInfo.environment, logger: Logger(label: "slug-tool"))
        do {
            let rest = try Arguments(arguments.dropFirst(2))
            try await untilInterrupted { try await run(arguments[1], rest, on: arguments[0], places) }
            try await places.close()
        } catch {
            try? await places.close()
            if let end = error as? End { exit(end.status) }
            fail("slug-tool: \(error)", status: error is Arguments.Unknown ? 64 : 1)
        }
    }

    /// Ends the program, about which all has been said.
    struct End: Error {
        var status: Int32
    }

    /// Ends a command early when the program is asked to end, so that it cleans up after itself. Who asks twice does not want to wait
    /// for that, or for a disk or a pipe that does not answer.
    private static func untilInterrupted(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let work = Task { try await body() }
        let signals = Task {
            var end: End?
            for await signal in await UnixSignalsSequence(trapping: .sigint, .sigterm) {
                let status: Int32 = signal == .sigint ? 130 : 143
                if end != nil { exit(status) }
                end = End(status: status)
                work.cancel()
            }
            return end
        }
        let result = await work.result
        signals.cancel()
        if let end = await signals.value { throw end }
        try result.get()
    }

    static func run(_ command: String, _ arguments: Arguments, on place: String, _ places: Places) async throws {
        let repository = try places.repository(place, isNew: ["put", "import", "pull"].contains(command))
        if command == "repair", let local = repository as? LocalSlugRepository, arguments.words.count == 1 {
            return try await UpkeepCommands(repository: local).repair(
                local, from: try places.repository(arguments.words[0]))
        }
        let isKnown =
            if try await TreeCommands(repository: repository).run(command, arguments) {
                true
            } else if try await ImageCommands(repository: repository, places: places).run(command, arguments) {
                true
            } else {
                try await UpkeepCommands(repository: repository).run(command, arguments)
            }
        guard isKnown else { fail(self.usage, status: 64) }
    }

    /// The one slug whose identifier is `text` or starts with it.
    static func find(_ text: String, in repository: any SlugRepository) async throws -> SlugID {
        if let id = SlugID(text) { return id }
        let matches = try await repository.list().map(\.id).filter { $0.description.hasPrefix("sha256:\(text)") }
        guard let id = matches.first, matches.count == 1 else {
            throw SlugStoreError(code: .notFound, message: "\(matches.count) slugs start with \(text).")
        }
        return id
    }

    static func say(_ slug: SlugSummary) {
        print(slug.id, "\(slug.files) files, \(slug.bytes) bytes, \(slug.newBytesStored) new on disk")
    }

    static func warn(_ message: String) {
        // Strangers have a say in what failed, and none in what the terminal does.
        let lines = message.split(separator: "\n", omittingEmptySubsequences: false).map { printable($0.utf8) }
        _ = try? FileDescriptor.standardError.writeAll((lines.joined(separator: "\n") + "\n").utf8)
    }

    static func fail(_ message: String, status: Int32) -> Never {
        self.warn(message)
        exit(status)
    }
}
