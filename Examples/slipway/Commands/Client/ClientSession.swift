import ArgumentParser
import Foundation
import PlatformClient
import PlatformWire
import SystemPackage

/// What a client command works with: the host, the terminal, and what the user has set.
struct ClientSession: Sendable {
    let api: APIClient
    let settings: ClientSettings
    let terminal: Terminal

    /// The exit status of a program whose reader has gone, as shells count it: 128 plus SIGPIPE.
    private static let brokenPipe = ExitCode(141)

    /// Opens a session for `body`. Failures become one line on standard error and exit status 1.
    static func with(
        _ host: HostOptions, application: String?, _ body: (ClientSession) async throws -> Void
    ) async throws {
        let environment = ProcessInfo.processInfo.environment
        let settings = ClientSettings(
            options: ClientSettings.Options(
                url: host.url, token: host.token, data: host.data, application: application),
            environment: environment,
            workingDirectory: FilePath(FileManager.default.currentDirectoryPath))
        let terminal = Terminal(environment: environment)
        do {
            let configuration = APIClient.Configuration(url: settings.url, token: try settings.token())
            try await withAPIClient(configuration) { api in
                try await body(ClientSession(api: api, settings: settings, terminal: terminal))
            }
        } catch let error as Errno where error == .brokenPipe {
            throw Self.brokenPipe
        } catch let error where error is ExitCode || error is ValidationError || error is CleanExit {
            throw error
        } catch {
            terminal.complain(Self.reason(error))
            throw ExitCode.failure
        }
    }

    /// Why something failed, on one line.
    private static func reason(_ error: any Error) -> String {
        switch error {
        case let problem as Problem: problem.detail.isEmpty ? problem.title : problem.detail
        case is CancellationError: "Cancelled."
        default: "\(error)"
        }
    }

    /// Prints lines of progress as they come.
    var progress: ProgressHandler {
        { line in try self.terminal.printLine(self.terminal.isTerminal ? TerminalText.coloured(line) : line) }
    }

    /// Prints a value as JSON, or else as `text` says.
    func show<Value: Encodable>(_ value: Value, _ options: ListingOptions, text: () -> String) throws {
        try self.terminal.print(options.isJSON ? WireJSON.encodeForPeople(value) + "\n" : text())
    }
}
