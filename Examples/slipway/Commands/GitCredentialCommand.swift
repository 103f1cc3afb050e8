import ArgumentParser
import Foundation
import PlatformClient
import SystemPackage

/// What git calls when the host asks it who pushes; `slipway apps create` sets it up.
struct GitCredentialCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "git-credential", abstract: "Give git the access token (git calls this itself).",
        discussion: "A git credential helper: see gitcredentials(7). It answers `get`, and stores and erases nothing.",
        shouldDisplay: false)
    @Argument(help: "What git wants: get, store or erase.") var operation: String
    @OptionGroup var host: HostOptions

    func run() throws {
        guard self.operation == "get" else { return }
        let settings = ClientSettings(
            options: ClientSettings.Options(url: self.host.url, token: self.host.token, data: self.host.data),
            environment: ProcessInfo.processInfo.environment,
            workingDirectory: .init(FileManager.default.currentDirectoryPath))
        // Without a token there is nothing to say: git then asks the user.
        guard let token = try? settings.token() else { return }
        print("username=slipway\npassword=\(token)")
    }
}
