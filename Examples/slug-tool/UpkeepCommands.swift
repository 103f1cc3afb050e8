import SlugStore
import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Whether slugs are sound and whose they are, and their end.
struct UpkeepCommands {
    let repository: any SlugRepository

    /// - Returns: Whether it is a command of these.
    func run(_ command: String, _ arguments: Arguments) async throws -> Bool {
        let (repository, words) = (self.repository, arguments.words)
        func find(_ text: String) async throws -> SlugID { try await SlugTool.find(text, in: repository) }
        switch (command, words.count) {
        case ("sign", 2):
            let signer = try self.signer(inFile: words[1])
            try await repository.sign(try await find(words[0]), by: signer)
            print("signed by", signer.publicKey.base64EncodedString())
        case ("verify", 0):
            let report = try await repository.verifyAll()
            for damage in report.damages {
                print(printable(damage.description.utf8), damage.slugs.map(\.description).joined(separator: " "))
            }
            print("\(report.slugs) slugs, \(report.bytes) bytes, \(report.damages.count) damages")
            // That was this machine's part of what hosts share.
            let isFarSound = repository is TieredSlugRepository ? try await self.verifyRemote() : true
            if !report.isSound || !isFarSound { throw SlugTool.End(status: 1) }
        case ("verify", 1):
            try await repository.verify(try await find(words[0]))
        case ("remove", 1):
            try await repository.remove(try await find(words[0]))
        case ("gc", 0):
            let report = try await repository.collectGarbage()
            print("\(report.slugs) slugs, \(report.chunks) chunks, \(report.bytes) bytes freed")
        default:
            return false
        }
        return true
    }

    /// Reads everything that the remote keeps of the slugs in its list, and says what is damaged.
    private func verifyRemote() async throws -> Bool {
        var isSound = true
        let slugs = try await self.repository.list()
        for slug in slugs {
            do throws(SlugStoreError) {
                try await self.repository.verify(slug.id)
            } catch {
                switch error.code {
                case .remoteUnavailable, .unauthorised, .remoteRefused, .noSpace, .busy, .cancelled:
                    // The next one would not be read either.
                    throw error
                case .notFound where try await !self.repository.list().contains(where: { $0.id == slug.id }):
                    continue  // removed meanwhile
                default: break
                }
                print(slug.id, printable(error.description.utf8))
                isSound = false
            }
        }
        print("\(slugs.count) slugs of the remote were read")
        return isSound
    }

    func repair(_ repository: LocalSlugRepository, from other: any SlugRepository) async throws {
        let report = try await repository.repair(from: other)
        for id in report.repaired { print(id, "repaired") }
        for (id, reason) in report.lost.sorted(by: { $0.key < $1.key }) { print(id, "lost:", printable(reason.utf8)) }
        if !report.lost.isEmpty { throw SlugTool.End(status: 1) }
    }

    /// 32 bytes that nobody else may read.
    private func signer(inFile path: String) throws -> SlugSigner {
        if let key = FileManager.default.contents(atPath: path) { return try SlugSigner(privateKey: key) }
        let signer = SlugSigner()
        guard
            FileManager.default.createFile(
                atPath: path, contents: signer.privateKey, attributes: [.posixPermissions: 0o600])
        else { throw SlugStoreError(code: .inputOutput, message: "The key could not be written to \(path).") }
        return signer
    }
}
