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
        discussion: "router-example --listen 127.0.0.1:8000 shop.localhost=127.0.0.1:3000 '*=unix:/run/app.sock'")

    @Option(help: "Where to listen in clear text, IP:PORT or fd:NUMBER.") var listen = "127.0.0.1:8000"
    @Option(help: "Where to listen with TLS, IP:PORT or fd:NUMBER.") var tls: String?
    @Option(help: "The certificate with its chain, PEM.") var certificate: String?
    @Option(help: "Its key, PEM.") var key: String?
    @Option(help: "Threads.") var threads = 1
    @Option(help: "A socket path, where to take over from the router before this one.") var handover: String?
    @Option(help: "Connections of one address.") var connectionsPerAddress = 1000
    @Option(help: "How much of an instance's places one client may have, in percent.") var clientShare = 50
    @Flag(help: "Instances speak HTTP/2.") var http2 = false
    @Argument(help: "Instances: HOST=IP:PORT or HOST=unix:PATH.") var instances: [String]

    func run() async throws {
        let logger = Logger(label: "router")
        var configuration = Router.Configuration()
        DescriptorLimit.raise(to: 2 * configuration.maxConnections + 1000)
        configuration.threads = self.threads
        configuration.maxConnectionsPerAddress = self.connectionsPerAddress
        configuration.clientSharePercent = self.clientShare
        configuration.handover = self.handover.map { Router.Handover(path: FilePath($0)) }
        configuration.listeners = [try self.read(self.listen) { Router.Listener($0) }]
        let certificates = CertificateStore()
        if let tls = self.tls {
            configuration.listeners.append(try self.read(tls) { Router.Listener($0, security: .tls) })
            guard let certificate, let key else { throw ValidationError("--tls needs --certificate and --key") }
            try certificates.setDefault(TLSCertificate(chainFile: FilePath(certificate), keyFile: FilePath(key)))
        }
        let router = Router(configuration: configuration, certificates: certificates, logger: logger)
        for (host, pairs) in Dictionary(grouping: self.instances, by: { String($0.prefix { $0 != "=" }) }) {
            let backends = try pairs.enumerated().map { index, pair in
                let address = try self.read(pair) { BackendAddress(String($0.dropFirst(host.count + 1))) }
                return Backend(id: BackendID("\(host)#\(index + 1)"), address: address)
            }
            var route = ApplicationRoute(application: host, hosts: [host], backends: backends)
            route.instanceProtocol = self.http2 ? .http2 : .http1
            try router.setRoute(route)
        }
        router.takeOver()
        // Ctrl-C, SIGTERM and the next router let requests end.
        let services = ServiceGroupConfiguration(
            services: [.init(service: router, successTerminationBehavior: .gracefullyShutdownGroup)],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        try await ServiceGroup(configuration: services).run()
    }

    private func read<T>(_ text: String, _ parse: (String) -> T?) throws -> T {
        guard let value = parse(text) else { throw ValidationError("'\(text)' is not what --help asks for") }
        return value
    }
}
