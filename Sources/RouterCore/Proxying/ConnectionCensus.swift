import Synchronization

/// Counts the client connections of a router, in total and by address, and says which one is too many.
///
/// All loops share one count. To divide the limits among the loops would not do: connections are handed round, so that
/// one address's are on every loop, and a loop that has had its share would refuse what another one has room for. The
/// lock is taken when a connection comes, when its client becomes known, and when it goes; no request comes here.
final class ConnectionCensus: Sendable {
    private struct Count {
        var total = 0
        /// Networks that have connections; as many at most as there are connections. Swift's hashes are seeded, so that
        /// nobody can choose addresses that collide.
        var byNetwork: [ClientAddress: Int] = [:]
        /// The same for the sites in which IPv6 networks are.
        var bySite: [ClientAddress: Int] = [:]
    }

    private let count = Mutex(Count())
    private let limit: Int
    private let limitPerAddress: Int
    private let limitPerSite: Int
    /// Many clients come from the address of a proxy.
    private let exempt: [AddressRange]
    private let workers = Mutex<[WeakHandle]>([])
    private struct WeakHandle: Sendable { weak let handle: WorkerHandle? }

    init(_ configuration: Router.Configuration) {
        self.limit = configuration.maxConnections
        self.limitPerAddress = configuration.maxConnectionsPerAddress
        self.limitPerSite = configuration.maxConnectionsPerIPv6Site
        self.exempt = configuration.trustedProxies
    }

    /// What is counted as one client: an IPv4 address, or the first 64 bits of an IPv6 one, which one household gets as
    /// a whole; nil for who may have any number of connections.
    private func network(of client: ClientAddress) -> ClientAddress? {
        if client == .unknown || self.exempt.contains(where: { $0.contains(client) }) { return nil }
        return client.network
    }

    /// A connection has come.
    ///
    /// - Parameter client: whose it is; nil when that is still to be said.
    /// - Returns: why it must go, or the network it is counted for, to be given to ``leave(_:)``.
    func enter(_ client: ClientAddress?) -> Result<ClientAddress?, Refusal> {
        let network = client.flatMap { self.network(of: $0) }
        return self.count.withLock { count in
            // First of all, or others would have to go for one who has its own share already.
            guard self.add(network, &count) else {
                return .failure(Refusal(code: .tooManyConnectionsFromAddress))
            }
            guard count.total < self.limit else {
                Self.subtract(network, &count)
                return .failure(Refusal(code: .tooManyConnections))
            }
            count.total += 1
            return .success(network)
        }
    }

    /// It has turned out whose connection it is.
    ///
    /// - Returns: the network it is counted for from now on; nil for none.
    /// - Throws: when the client has too many; the connection still counts in total.
    func identify(_ client: ClientAddress) throws(Refusal) -> ClientAddress? {
        let network = self.network(of: client)
        guard self.count.withLock({ self.add(network, &$0) }) else {
            throw Refusal(code: .tooManyConnectionsFromAddress)
        }
        return network
    }

    /// A connection that had entered is gone.
    func leave(_ network: ClientAddress?) {
        self.count.withLock { count in
            count.total -= 1
            Self.subtract(network, &count)
        }
    }

    private static func subtract(_ network: ClientAddress?, _ count: inout Count) {
        guard let network else { return }
        Self.subtract(network, &count.byNetwork)
        if !network.isIPv4 { Self.subtract(network.site, &count.bySite) }
    }

    private static func subtract(_ client: ClientAddress, _ counts: inout [ClientAddress: Int]) {
        guard let known = counts[client] else { return }
        counts[client] = known > 1 ? known - 1 : nil
    }

    /// How many connections there are.
    var total: Int { self.count.withLock { $0.total } }

    // MARK: Room for new ones

    /// The loops that count here.
    func attach(_ workers: [WorkerHandle]) {
        self.workers.withLock { $0 = workers.map { WeakHandle(handle: $0) } }
    }

    /// Whether fewer than so many places are free.
    func hasLess(than free: Int) -> Bool { self.count.withLock { self.limit - $0.total < free } }

    /// Has the other loops give up connections that wait for a request, because the one that asks has none.
    func askForRoom(from asking: WorkerHandle?) {
        for worker in self.workers.withLock({ $0 }) where worker.handle !== asking {
            worker.handle?.execute { $0.makeRoomForOthers() }
        }
    }

    private func add(_ network: ClientAddress?, _ count: inout Count) -> Bool {
        guard let network else { return true }
        let known = count.byNetwork[network, default: 0]
        guard known < self.limitPerAddress else { return false }
        if !network.isIPv4 {
            let known = count.bySite[network.site, default: 0]
            guard known < self.limitPerSite else { return false }
            count.bySite[network.site] = known + 1
        }
        count.byNetwork[network] = known + 1
        return true
    }

    /// Why a connection is not served.
    struct Refusal: Error {
        var code: RouterErrorCode
    }
}
