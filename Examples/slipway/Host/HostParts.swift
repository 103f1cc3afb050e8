import Foundation
import Logging
import MetricsCore
import PlatformKit
import RouterACME
import RouterCore
import ServiceLifecycle
import SystemPackage

/// What a host keeps for as long as it lives, also when the platform above is taken down for an upgrade that then fails:
/// the router, which goes on serving meanwhile, and all that it speaks with.
struct HostParts {
    let registry = MetricsRegistry()
    let names = ApplicationNames()
    let signals = SignalRecorder()
    let logs: LogHub
    let certificates: CertificateStore
    let challenges = ACMEChallenges()
    let accessLog: AccessLogFile?
    let router: Router

    init(settings: ServeSettings, data: DataDirectory, logger: Logger) throws {
        var logConfiguration = LogHub.Configuration()
        logConfiguration.directory = data.logs
        self.logs = try LogHub(configuration: logConfiguration, logger: logger)
        var tls = TLSSettings()
        // A certificate that is not for the host would help nobody, and look as if something was set up.
        tls.unknownHost = .refuse
        self.certificates = CertificateStore(settings: tls)
        let registry = self.registry
        self.accessLog = try settings.accessLog.map { path in
            try AccessLogFile(path: path == "-" ? nil : FilePath(path), registry: registry, logger: logger)
        }
        var observers: [any RequestObserver] = [RequestBridge(hub: self.logs, signals: self.signals)]
        if let accessLog = self.accessLog {
            observers.append(AccessLog(share: settings.accessLogShare, names: self.names, file: accessLog))
        }
        var configuration = Router.Configuration(host: settings.http.host, port: settings.http.port)
        if let https = settings.https {
            configuration.listeners.append(.init(host: https.host, port: https.port, security: .tls))
        }
        configuration.trustedProxies = settings.trustedProxies
        #if os(Linux)
            configuration.handover = Router.Handover(path: try data.socketPath("router"))
        #endif
        self.router = Router(
            configuration: configuration, certificates: self.certificates, challenges: self.challenges,
            observer: RequestObservers(observers), logger: logger)
    }

    /// The services of these parts. They end when the router does: after a hand-over, that is by itself.
    func services(logger: Logger) -> ServiceGroup {
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = []
        if let accessLog { services.append(.init(service: accessLog)) }
        services.append(.init(service: self.router, successTerminationBehavior: .gracefullyShutdownGroup))
        return ServiceGroup(configuration: .init(services: services, logger: logger))
    }
}
