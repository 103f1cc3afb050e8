import Logging
import RouterCore
import ServiceLifecycle
import UnixSignals

/// A stand-alone reverse proxy:
///
///     router-example --listen 127.0.0.1:8000 shop.localhost=127.0.0.1:3000 shop.localhost=127.0.0.1:3001 '*=unix:/run/app.sock'
///
/// Every `host=address` is an instance; several for one host share its requests. Ctrl-C and SIGTERM let requests end.
@main
struct RouterExample {
    static func main() async throws {
        var logger = Logger(label: "router")
        logger.logLevel = .info
        let options: Options
        do {
            options = try Options(CommandLine.arguments.dropFirst())
        } catch {
            print("router-example: \(error)\nusage: router-example [--listen IP:PORT] [--threads N] HOST=ADDRESS …")
            return
        }
        let router = Router(configuration: options.configuration, logger: logger)
        for (host, addresses) in options.instances {
            try router.setRoute(
                ApplicationRoute(
                    application: host, hosts: [host],
                    backends: addresses.enumerated().map { number, address in
                        Backend(id: BackendID("\(host)#\(number + 1)"), address: address)
                    }))
        }
        try await ServiceGroup(
            services: [router], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger
        ).run()
    }
}

/// The command line.
struct Options {
    struct Wrong: Error, CustomStringConvertible { var description: String }

    var configuration = Router.Configuration(host: "127.0.0.1", port: 8000)
    var instances: [String: [BackendAddress]] = [:]

    init(_ arguments: ArraySlice<String>) throws {
        var rest = arguments
        while let argument = rest.popFirst() {
            switch argument {
            case "--listen":
                guard case .ip(let host, let port)? = rest.popFirst().flatMap(Self.address) else {
                    throw Wrong(description: "--listen wants an address such as 127.0.0.1:8000")
                }
                self.configuration.listeners[0].host = host
                self.configuration.listeners[0].port = port
            case "--threads":
                guard let threads = rest.popFirst().flatMap(Int.init) else {
                    throw Wrong(description: "--threads wants a number")
                }
                self.configuration.threads = threads
            default:
                let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
                guard parts.count == 2, let address = Self.address(parts[1]) else {
                    throw Wrong(description: "'\(argument)' is not HOST=IP:PORT or HOST=unix:PATH")
                }
                self.instances[parts[0], default: []].append(address)
            }
        }
        guard !self.instances.isEmpty else { throw Wrong(description: "there is nothing to route to") }
    }

    static func address(_ text: String) -> BackendAddress? {
        if text.hasPrefix("unix:") { return .unix(path: String(text.dropFirst(5))) }
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]) else { return nil }
        return .ip(host: String(text[..<colon].trimmingPrefix("[").prefix { $0 != "]" }), port: port)
    }
}
