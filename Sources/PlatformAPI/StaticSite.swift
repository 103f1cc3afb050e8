internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import ServiceLifecycle
internal import UnixSignals

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Serves a directory of files over HTTP: what a static site runs as its `web` process.
public struct StaticSite: Sendable {
    private let directory: String
    private let root: String
    private let host: String
    private let port: Int

    /// Makes a server of a directory, in which `index.html` answers for a directory.
    ///
    /// - Parameters:
    ///   - directory: What is served; `index.html` answers for a directory.
    ///   - root: The directory that no symbolic link may lead out of, such as the application's; `nil` for the directory
    ///     itself.
    ///   - host: The address to listen on.
    ///   - port: The port to listen on; 0 for any free one.
    public init(directory: String, root: String? = nil, host: String, port: Int) {
        self.directory = directory
        self.root = root ?? directory
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
            HidingMiddleware(directory: self.directory, root: self.root)
            FileMiddleware(self.directory, searchForIndexHtml: true, logger: logger)
        }
        let application = Application(
            router: router, configuration: .init(address: .hostname(self.host, port: self.port)), logger: logger)
        try await application.runService()
    }
}

/// Answers 404 for what a directory holds besides the site (`.git`, `.env`, `.profile.d`, `.slugignore`) and for what is
/// not in it at all, but at the end of a symbolic link.
private struct HidingMiddleware<Context: RequestContext>: RouterMiddleware {
    let directory: String
    let root: String

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        let path = request.uri.path
        guard !StaticSite.hides(path), !StaticSite.leaves(path, of: self.directory, root: self.root) else {
            throw HTTPError(.notFound)
        }
        return try await next(request, context)
    }
}

extension StaticSite {
    /// Whether a path leads through a name that begins with a dot. `.well-known` is what RFC 8615 publishes.
    static func hides(_ path: String) -> Bool {
        guard let path = percentDecoded(path), !path.utf8.contains(0) else { return true }
        return path.split(separator: "/").contains { $0.hasPrefix(".") && $0 != ".well-known" }
    }

    /// Whether what a path names in a directory, or the index of it, is outside of `root`. What does not exist is nowhere.
    static func leaves(_ path: String, of directory: String, root: String) -> Bool {
        guard let path = percentDecoded(path) else { return true }
        let root = Self.resolved(root)
        return ["", "/index.html"].contains { index in
            guard let file = Self.resolved("\(directory)/\(path)\(index)") else { return false }
            guard let root else { return true }
            return file != root && !file.hasPrefix(root == "/" ? root : root + "/")
        }
    }

    private static func resolved(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }
}
