import ArgumentParser
import Foundation
import PlatformAPI

struct StaticServer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "static-server", abstract: "Serve a directory of files; what static sites run.",
        shouldDisplay: false)

    @Option(help: "The port to listen on.")
    var port: Int

    @Argument(help: "The directory.")
    var directory: String

    func run() async throws {
        // It is started in the application's directory.
        let root = FileManager.default.currentDirectoryPath
        let host = ProcessInfo.processInfo.environment["SLIPWAY_ADDRESS"] ?? "127.0.0.1"
        try await StaticSite(directory: self.directory, root: root, host: host, port: self.port).run()
    }
}
