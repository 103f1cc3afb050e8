internal import HTTPTypes
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
        router.addMiddleware {
            HidingMiddleware()
            FileMiddleware(self.directory, searchForIndexHtml: true, logger: logger)
        }
        let application = Application(
            router: router, configuration: .init(address: .hostname(self.host, port: self.port)), logger: logger)
        try await application.runService()
    }
}

/// Answers 404 for what a directory holds besides the site: `.git`, `.env`, `.profile.d`, `.slugignore`.
private struct HidingMiddleware<Context: RequestContext>: RouterMiddleware {
    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard !StaticSite.hides(request.uri.path) else { throw HTTPError(.notFound) }
        return try await next(request, context)
    }
}

extension StaticSite {
    /// Whether a path leads through a name that begins with a dot. `.well-known` is what RFC 8615 publishes.
    static func hides(_ path: String) -> Bool {
        guard let path = percentDecoded(path) else { return true }
        return path.split(separator: "/").contains { $0.hasPrefix(".") && $0 != ".well-known" }
    }
}
