import ArgumentParser
import PlatformClient

/// A command that talks to a host.
protocol ClientCommand: AsyncParsableCommand {
    var host: HostOptions { get }

    func run(_ session: ClientSession) async throws
}

extension ClientCommand {
    func run() async throws {
        try await ClientSession.with(self.host, application: nil) { try await self.run($0) }
    }
}

/// A command about one application.
protocol ApplicationCommand: AsyncParsableCommand {
    var host: HostOptions { get }
    var app: ApplicationOption { get }

    func run(_ session: ClientSession, application: String) async throws
}

extension ApplicationCommand {
    func run() async throws {
        try await ClientSession.with(self.host, application: self.app.name) { session in
            try await self.run(session, application: try session.settings.application())
        }
    }
}
