// A slug repository from the command line: what SlugStore does, and nothing besides.
import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import SlugStore
import SlugStoreRemotes
import SystemPackage

@main
struct SlugTool {
    static let usage = """
        usage: slug-tool REPOSITORY put DIRECTORY      store a tree and print its slug
               slug-tool REPOSITORY list               every slug: identifier, files, bytes, bytes that storing it took
               slug-tool REPOSITORY get SLUG LINK      make the slug's tree and a link to it
               slug-tool REPOSITORY export SLUG FILE   write the slug's tree as .tar, .tar.gz or .tar.zst
               slug-tool REPOSITORY import FILE        store the tree of a .tar, .tar.gz, .tar.zst or .zip
               slug-tool REPOSITORY image SLUG DIRECTORY [BASE]
                                                       make container images in an OCI layout, on those of another or on none
               slug-tool REPOSITORY files SLUG         what is in the slug
               slug-tool REPOSITORY diff SLUG SLUG     what the second has that the first has not
               slug-tool REPOSITORY sign SLUG FILE     sign the slug with the key in the file, which is made if it is missing
               slug-tool REPOSITORY verify [SLUG]      read and check everything that is stored
               slug-tool REPOSITORY repair OTHER       bring what is damaged in a directory back from another repository
               slug-tool REPOSITORY remove SLUG
               slug-tool REPOSITORY gc                 free what no slug needs
        SLUG may be shortened. REPOSITORY is a directory, or an address that hosts share:
          s3://BUCKET/PREFIX?region=REGION with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment,
          oci://REGISTRY/NAME with REGISTRY_USER and REGISTRY_PASSWORD, if it asks;
        what comes from there is kept in the directory SLUG_CACHE (slug-cache by default).
        """

    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count >= 2 else { fail(self.usage, status: 64) }
        let logger = Logger(label: "slug-tool")
        let environment = ProcessInfo.processInfo.environment
        // Requests are signed for where they go; a server where nobody listens is known as such after some seconds.
        let client = HTTPClient(
            eventLoopGroupProvider: .singleton,
            configuration: .init(redirectConfiguration: .disallow, timeout: .init(connect: .seconds(10))))
        do {
            let repository = try open(arguments[0], environment, client: client, logger)
            if arguments[1] == "repair", arguments.count == 3, let local = repository as? LocalSlugRepository {
                try await repair(local, from: try open(arguments[2], environment, client: client, logger))
            } else {
                try await run(arguments[1], Array(arguments.dropFirst(2)), on: repository)
            }
            try await client.shutdown()
        } catch {
            fail("slug-tool: \(error)", status: 1)
        }
    }

    static func open(
        _ place: String, _ environment: [String: String], client: HTTPClient, _ logger: Logger
    ) throws -> any SlugRepository {
        let isRemote = RemoteAddress.isAddress(place)
        let directory = isRemote ? environment["SLUG_CACHE"] ?? "slug-cache" : place
        let local = LocalSlugRepository(configuration: .init(directory: FilePath(directory)), logger: logger)
        guard isRemote else { return local }
        let store = try RemoteAddress(place).objectStore(
            credentials: credentials(environment), transport: RemoteTransport(client: client))
        return TieredSlugRepository(local: local, remote: store, logger: logger)
    }

    static func repair(_ repository: LocalSlugRepository, from other: any SlugRepository) async throws {
        let report = try await repository.repair(from: other)
        for id in report.repaired { print(id, "repaired") }
        for (id, reason) in report.lost.sorted(by: { $0.key < $1.key }) { print(id, "lost:", reason) }
        if !report.lost.isEmpty { exit(1) }
    }

    /// Reads everything that the remote keeps of the slugs in its list, and says what is damaged.
    static func verifyRemote(of repository: some SlugRepository) async throws -> Bool {
        var isSound = true
        let slugs = try await repository.list()
        for slug in slugs {
            do {
                try await repository.verify(slug.id)
            } catch {
                guard error.code == .corrupted else { throw error }
                print(slug.id, error)
                isSound = false
            }
        }
        print("\(slugs.count) slugs of the remote were read")
        return isSound
    }

    static func credentials(_ environment: [String: String]) -> RemoteAddress.Credentials? {
        for (user, password) in [
            ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("REGISTRY_USER", "REGISTRY_PASSWORD"),
        ] {
            guard let user = environment[user], let password = environment[password] else { continue }
            return .init(user: user, password: password, sessionToken: environment["AWS_SESSION_TOKEN"])
        }
        return nil
    }

    static func run(_ command: String, _ arguments: [String], on repository: some SlugRepository) async throws {
        switch (command, arguments.count) {
        case ("put", 1):
            let slug = try await repository.put(FilePath(arguments[0]), metadata: SlugMetadata())
            print(slug.id, "\(slug.files) files, \(slug.bytes) bytes, \(slug.newBytesStored) new on disk")
        case ("list", 0):
            for slug in try await repository.list() {
                print(slug.id.shortDescription, slug.files, slug.bytes, slug.newBytesStored, slug.createdAt)
            }
        case ("get", 2):
            let slug = try await repository.materialise(try await find(arguments[0], in: repository))
            let target =
                slug.path.isAbsolute ? slug.path : FilePath(FileManager.default.currentDirectoryPath).pushing(slug.path)
            try FileManager.default.createSymbolicLink(atPath: arguments[1], withDestinationPath: target.string)
            print(target)
        case ("export", 2):
            guard let compression = TreeArchiver.Compression(fileName: arguments[1]) else {
                fail("slug-tool: \(arguments[1]) is not named .tar, .tar.gz or .tar.zst.", status: 64)
            }
            let slug = try await find(arguments[0], in: repository)
            print(try await repository.export(slug, to: FilePath(arguments[1]), compression: compression), "bytes")
        case ("import", 1):
            let slug = try await repository.importArchive(
                FilePath(arguments[0]), metadata: SlugMetadata(), workingIn: FilePath(NSTemporaryDirectory()))
            print(slug.id, "\(slug.files) files, \(slug.bytes) bytes, \(slug.newBytesStored) new on disk")
        case ("image", 2), ("image", 3):
            let base = arguments.dropFirst(2).first.map { ImageBase(layout: FilePath($0)) }
            let report = try await repository.exportImage(
                try await find(arguments[0], in: repository), as: SlugImage(base: base),
                into: ImageLayout(directory: FilePath(arguments[1])))
            for (name, image) in report.images.sorted(by: { $0.key < $1.key }) { print(name, image.digest) }
            print(report.layers.count, "layers,", report.newLayers, "new")
        case ("files", 1):
            for entry in try await repository.contents(of: try await find(arguments[0], in: repository)) {
                print(entry.path, entry.bytes)
            }
        case ("diff", 2):
            let difference = try await repository.difference(
                from: try await find(arguments[0], in: repository), to: try await find(arguments[1], in: repository))
            for entry in difference.added { print("+", entry.path, entry.bytes) }
            for entry in difference.removed { print("-", entry.path, entry.bytes) }
            for change in difference.changed { print("~", change.new.path, change.new.bytes) }
        case ("sign", 2):
            let signer = try signer(inFile: arguments[1])
            try await repository.sign(try await find(arguments[0], in: repository), by: signer)
            print("signed by", signer.publicKey.base64EncodedString())
        case ("verify", 0):
            let report = try await repository.verifyAll()
            for damage in report.damages {
                print(damage.description, damage.slugs.map(\.description).joined(separator: " "))
            }
            print("\(report.slugs) slugs, \(report.bytes) bytes, \(report.damages.count) damages")
            if !report.isSound { exit(1) }
            // That was this machine's part of it.
            if repository is TieredSlugRepository, try await !verifyRemote(of: repository) { exit(1) }
        case ("verify", 1):
            try await repository.verify(try await find(arguments[0], in: repository))
        case ("remove", 1):
            try await repository.remove(try await find(arguments[0], in: repository))
        case ("gc", 0):
            let report = try await repository.collectGarbage()
            print("\(report.slugs) slugs, \(report.chunks) chunks, \(report.bytes) bytes freed")
        default:
            fail(self.usage, status: 64)
        }
    }

    /// 32 bytes that nobody else may read.
    static func signer(inFile path: String) throws -> SlugSigner {
        if let key = FileManager.default.contents(atPath: path) { return try SlugSigner(privateKey: key) }
        let signer = SlugSigner()
        guard
            FileManager.default.createFile(
                atPath: path, contents: signer.privateKey, attributes: [.posixPermissions: 0o600])
        else { throw SlugStoreError(code: .inputOutput, message: "The key could not be written to \(path).") }
        return signer
    }

    /// The one slug whose identifier is `text` or starts with it.
    static func find(_ text: String, in repository: some SlugRepository) async throws -> SlugID {
        if let id = SlugID(text) { return id }
        let matches = try await repository.list().map(\.id).filter { $0.description.hasPrefix("sha256:\(text)") }
        guard let id = matches.first, matches.count == 1 else {
            throw SlugStoreError(code: .notFound, message: "\(matches.count) slugs start with \(text).")
        }
        return id
    }

    static func fail(_ message: String, status: Int32) -> Never {
        try? FileHandle.standardError.write(contentsOf: Data((message + "\n").utf8))
        exit(status)
    }
}
