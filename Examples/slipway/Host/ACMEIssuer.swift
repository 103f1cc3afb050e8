import Logging
import PlatformKit
import RouterACME
import RouterCore
import ServiceLifecycle

/// Has the platform's certificates ordered from an ACME authority.
struct ACMEIssuer: CertificateIssuer, Service {
    private let manager: ACMEManager
    let endedOrders: AsyncStream<CertificateOrder>

    init(
        _ settings: ServeSettings.ACME, certificates: CertificateStore, challenges: ACMEChallenges,
        storage: any ACMEStorage, logger: Logger
    ) throws {
        var transport = HTTPACMETransport.Configuration()
        transport.trustRoots = settings.trustRoots
        // Nothing is ordered, and nobody asked, before somebody switches it on for an application: that is the consent.
        var configuration = ACMEManager.Configuration(directory: settings.directory, termsOfServiceAgreed: true)
        configuration.contact = settings.email.map { ["mailto:\($0)"] } ?? []
        let (orders, feed) = AsyncStream<CertificateOrder>.makeStream(bufferingPolicy: .bufferingNewest(1_000))
        self.endedOrders = orders
        self.manager = ACMEManager(
            configuration: configuration, certificates: certificates, challenges: challenges, storage: storage,
            transport: try HTTPACMETransport(configuration: transport),
            onChange: { feed.yield(CertificateOrder($0)) }, logger: logger)
    }

    var orders: [CertificateOrder] { self.manager.status.map(CertificateOrder.init) }
    func setHosts(_ hosts: Set<String>) throws { try self.manager.setHosts(hosts) }
    func waitUntilLoaded() async { await self.manager.waitUntilLoaded() }
    func run() async throws { try await self.manager.run() }
}

extension CertificateOrder {
    fileprivate init(_ status: ACMEHostStatus) {
        self.init(
            host: status.host, state: State(rawValue: status.state.rawValue), nextOrder: status.nextOrder,
            lastError: status.lastError.map { "\($0)" })
    }
}
