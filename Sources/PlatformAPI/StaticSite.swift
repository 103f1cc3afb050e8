internal import Hummingbird
internal import Logging
internal import ServiceLifecycle
internal import UnixSignals

/// Serves a directory of files over HTTP: what a static site runs as its `web` process.
public struct StaticSite: Sendable {
    private let directory: String
    private let host: String
    private let port: Int

    /// Makes a server of a directory, in which `index.html` answers for a directory.
    public init(directory: String, host: String, port: Int) {
        self.directory = directory
        self.host = host
        self.port = port
    }

    /// Serves until SIGTERM or SIGINT.
    ///
    /// - Throws: when the port cannot be bound.
    public func run() async throws {
        let logger = Logger(label: "slipway.static-site")
        let router = Hummingbird.Router()
        router.addMiddleware { FileMiddleware(self.directory, searchForIndexHtml: true, logger: logger) }
        let application = Application(
            router: router, configuration: .init(address: .hostname(self.host, port: self.port)), logger: logger)
        try await application.runService()
    }
}
