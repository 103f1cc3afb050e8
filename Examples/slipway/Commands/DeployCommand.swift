import ArgumentParser
import Foundation
import PlatformClient
import PlatformWire
import SystemPackage

struct DeployCommand: ApplicationCommand {
    static let configuration = CommandConfiguration(
        commandName: "deploy", abstract: "Deploy a directory or an archive, instead of a push.",
        discussion: """
            A directory is packed as it is read, without its .git; a .tar, .tar.gz, .tar.zst \
            or .zip file is sent as it is. Returns when the release is live, or says why it is not. Ctrl-C cancels the \
            deployment.
            """)
    @Argument(help: "A directory or an archive.", completion: .file()) var path = "."
    @OptionGroup var app: ApplicationOption
    @OptionGroup var host: HostOptions

    func run(_ session: ClientSession, application: String) async throws {
        let path = FilePath(FileManager.default.currentDirectoryPath).pushing(FilePath(self.path)).lexicallyNormalized()
        let archive = try Self.source(at: path)
        let deployment = try await session.api.deploy(archive, to: application, onLine: session.progress)
        let release = deployment.release.map { " as v\($0)" } ?? ""
        try session.terminal.printLine("Deployment \(deployment.number) is live\(release).")
    }

    private static func source(at path: FilePath) throws -> any ArchiveSource {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path.string, isDirectory: &isDirectory) else {
            throw ClientError(.invalid, "There is no \(path).")
        }
        return isDirectory.boolValue ? DirectoryArchive(path: path) : try FileArchive(path: path)
    }
}
