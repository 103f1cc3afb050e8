import ArgumentParser
import Logging
import RouterCore
import ServiceLifecycle
import SystemPackage
import UnixSignals

/// A complete reverse proxy. Every `HOST=ADDRESS` is an instance; several for one host share its requests.
@main
struct RouterExample: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "router-example",
        discussion: "router-example --listen 127.0.0.1:8000 shop.localhost=127.0.0.1:3000 '*=unix:/run/app.sock'")

    @Option(help: "Where to listen in clear text, IP:PORT.") var listen = "127.0.0.1:8000"
    @Option(help: "Where to listen with TLS, IP:PORT.") var tls: String?
    @Option(help: "The certificate with its chain, PEM.") var certificate: String?
    @Option(help: "Its key, PEM.") var key: String?
    @Option(help: "Threads.") var threads = 1
    @Option(help: "Connections of one address.") var connectionsPerAddress = 1000
    @Flag(help: "Instances speak HTTP/2.") var http2 = false
    @Argument(help: "Instances: HOST=IP:PORT or HOST=unix:PATH.") var instances: [String]

    func run() async throws {
        let logger = Logger(label: "router")
        var configuration = Router.Configuration()
        configuration.threads = self.threads
        configuration.maxConnectionsPerAddress = self.connectionsPerAddress
        configuration.listeners = [try self.listener(self.listen)]
        let certificates = CertificateStore()
        if let tls = self.tls {
            configuration.listeners.append(try self.listener(tls, .tls))
            guard let certificate = self.certificate, let key = self.key else {
                throw ValidationError("--tls needs --certificate and --key")
            }
            try certificates.setDefault(TLSCertificate(chainFile: FilePath(certificate), keyFile: FilePath(key)))
        }
        let router = Router(configuration: configuration, certificates: certificates, logger: logger)
        let pairs = try self.instances.map { argument in
            let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw ValidationError("'\(argument)' is not HOST=ADDRESS") }
            return (host: parts[0], address: try self.address(parts[1]))
        }
        for (host, pairs) in Dictionary(grouping: pairs, by: \.host) {
            let backends = pairs.enumerated().map { Backend(id: BackendID("\(host)#\($0 + 1)"), address: $1.address) }
            var route = ApplicationRoute(application: host, hosts: [host], backends: backends)
            if self.http2 { route.instanceProtocol = .http2 }
            try router.setRoute(route)
        }
        // Ctrl-C and SIGTERM let requests end.
        try await ServiceGroup(services: [router], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger).run()
    }

    private func address(_ text: String) throws -> BackendAddress {
        if text.hasPrefix("unix:") { return .unix(path: String(text.dropFirst(5))) }
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]) else {
            throw ValidationError("'\(text)' is neither IP:PORT nor unix:PATH")
        }
        return .ip(host: String(text[..<colon].trimmingPrefix("[").prefix { $0 != "]" }), port: port)
    }

    private func listener(_ text: String, _ security: Router.Listener.Security = .none) throws -> Router.Listener {
        guard case .ip(let host, let port) = try self.address(text) else {
            throw ValidationError("'\(text)' is not IP:PORT")
        }
        return Router.Listener(host: host, port: port, security: security)
    }
}
