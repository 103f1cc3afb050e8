public import Logging
public import RouterCore
public import ServiceLifecycle
import Synchronization

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Gets certificates for hosts from an ACME authority, keeps them, and renews them in time.
///
/// ```swift
/// let manager = ACMEManager(
///     configuration: .init(directory: ACMEManager.Configuration.Authority.letsEncrypt, termsOfServiceAgreed: true),
///     certificates: store, challenges: challenges,
///     storage: DirectoryACMEStorage(directory: "/var/lib/shop/acme"), transport: try HTTPACMETransport(), logger: logger)
/// try manager.setHosts(["shop.example.com"])
/// try await manager.run()
/// ```
///
/// Each host has a certificate of its own and is tried, fails and waits by itself. The authority checks a host by
/// connecting to it on port 80 or 443; the router answers, from the same `ACMEChallenges`.
public final class ACMEManager: Service, Sendable {
    let configuration: Configuration
    let certificates: CertificateStore
    let challenges: ACMEChallenges
    let records: RecordStore
    let transport: any ACMETransport
    let policy: HostPolicy?
    let onChange: (@Sendable (ACMEHostStatus) -> Void)?
    let clock: any Clock<Duration>
    let now: @Sendable () -> Date
    let chance: @Sendable () -> Double
    let logger: Logger
    let bell = Bell()
    let loading = Latch()
    let state: Mutex<State>

    struct State {
        var isRunning = false
        var table: HostTable
        var gate: DemandGate
        /// Hosts whose policy is being asked.
        var questions = 0
        /// All certificates that are kept, also those of hosts that are not wanted now and may be again.
        var held: [String: Held] = [:]
    }

    /// A certificate that is kept.
    struct Held {
        var certificate: TLSCertificate
        var facts: CertificateFacts
        /// The challenge by which the host was proved.
        var challenge: ACMEChallengeKind?
        /// Whether it is from the authority that is asked now.
        var isCurrent: Bool
    }

    /// Makes a manager. It does nothing until ``run()``.
    ///
    /// - Parameters:
    ///   - configuration: the authority, the account and the limits.
    ///   - certificates: where handshakes find them.
    ///   - challenges: where the router finds the answers for the authority.
    ///   - storage: where the account's key and the certificates survive a restart.
    ///   - transport: speaks to the authority. The manager shuts it down when it ends.
    ///   - policy: decides about hosts that clients ask for and nobody has set; nil to order none of these.
    ///   - onChange: is told how things stand with a host whenever an order for it has ended, well or badly. It should
    ///     return soon.
    ///   - clock: measures waits.
    ///   - now: tells the date.
    ///   - chance: a number between 0 and 1, for spreading things over time.
    ///   - logger: for what happens to certificates.
    public init(
        configuration: Configuration, certificates: CertificateStore, challenges: ACMEChallenges,
        storage: any ACMEStorage, transport: any ACMETransport, policy: HostPolicy? = nil,
        onChange: (@Sendable (ACMEHostStatus) -> Void)? = nil, clock: any Clock<Duration> = ContinuousClock(),
        now: @escaping @Sendable () -> Date = { Date() },
        chance: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }, logger: Logger
    ) {
        self.configuration = configuration
        self.certificates = certificates
        self.challenges = challenges
        self.records = RecordStore(storage: storage, directory: configuration.directory)
        self.transport = transport
        self.policy = policy
        self.onChange = onChange
        self.clock = clock
        self.now = now
        self.chance = chance
        self.logger = logger
        self.state = Mutex(
            State(
                table: HostTable(settings: configuration.tableSettings),
                gate: DemandGate(settings: configuration.gateSettings)))
    }

    // MARK: Hosts

    /// Makes these the hosts that have a certificate, now and always, at any time before or while it runs. Those that
    /// are new are ordered as soon as possible. The certificates of those that are gone are no longer used nor renewed,
    /// but kept until they end. Leave out those whose certificate you set yourself: it would be replaced.
    ///
    /// - Throws: ``ACMEError`` when one of them is no host, or a wildcard, which these challenges cannot prove; nothing
    ///   is then changed.
    public func setHosts(_ hosts: some Sequence<String>) throws(ACMEError) {
        var wanted: Set<String> = []
        for host in hosts { wanted.insert(try HostName.check(host)) }
        let now = self.now()
        for host in self.state.withLock({ $0.table.keep(only: wanted) }) { self.uninstall(host) }
        for host in wanted {
            self.state.withLock { state in
                state.table.want(host, now: now)
                self.adopt(host, &state, now)
            }
        }
        self.bell.ring()
    }

    /// Orders a host's certificate anew as soon as possible: after its address was put right, or its key got lost. Does
    /// nothing for a host that it does not know.
    public func renew(host: String) {
        let now = self.now()
        self.state.withLock { $0.table.hurry(host.lowercased(), now: now) }
        self.bell.ring()
    }

    /// How things stand, by host.
    public var status: [ACMEHostStatus] {
        let (entries, jobs) = self.state.withLock { ($0.table.hosts, $0.table.jobs) }
        return entries.map { ACMEHostStatus($0.key, $0.value, jobs[$0.key]) }.sorted { $0.host < $1.host }
    }

    // MARK: Running

    /// Returns when the certificates that were kept are in use, as far as their hosts have been set; when ``run()`` has
    /// ended; or when the task is cancelled. Have the router listen only then, and a restart refuses no handshake.
    public func waitUntilLoaded() async { await self.loading.wait() }

    /// Orders and renews until the task is cancelled or a graceful shutdown begins. Orders that are being made are then
    /// given up; they are made again after the next start.
    ///
    /// - Throws: ``ACMEError`` when the configuration makes no sense, or when the account's key can be neither read nor
    ///   kept. What fails later is retried, and told by ``status``.
    public func run() async throws {
        try self.configuration.check()
        try self.state.withLock { state throws(ACMEError) in
            guard !state.isRunning else {
                throw ACMEError(.alreadyRunning, "The manager of certificates is run a second time.")
            }
            state.isRunning = true
        }
        defer { self.loading.open() }
        do {
            try await cancelWhenGracefulShutdown { try await self.work() }
        } catch is CancellationError {
            // It was told to end.
        } catch {
            await self.transport.shutDown()
            throw error
        }
        await self.transport.shutDown()
    }

    private func work() async throws {
        let client = try await self.openAccount()
        try await self.load()
        self.loading.open()
        if self.policy != nil { self.certificates.onMissingHost { [weak self] host in self?.demanded(host) } }
        defer { if self.policy != nil { self.certificates.onMissingHost(nil) } }
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                let now = self.now()
                let (jobs, questions, next) = self.state.withLock { $0.begin(now: now) }
                for job in jobs { group.addTask { await self.perform(job, client) } }
                for host in questions { group.addTask { await self.consider(host) } }
                await self.rest(until: next, now: now)
            }
        }
    }

    /// Waits until something is due or has happened. At most an hour, because the machine's date may be set.
    private func rest(until next: Date?, now: Date) async {
        let time = min(max(next?.timeIntervalSince(now) ?? 3_600, 0.001), 3_600)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.bell.wait() }
            group.addTask { try? await self.clock.sleep(for: .seconds(time)) }
            await group.next()
            group.cancelAll()
        }
    }
}

extension ACMEManager.State {
    /// What is due: jobs, and hosts about which the policy is asked.
    mutating func begin(now: Date) -> (jobs: [HostTable.Job], questions: [String], next: Date?) {
        let (jobs, nextJob) = self.table.begin(now: now)
        let (questions, nextQuestion) = self.gate.take(now: now)
        let next = [nextJob, nextQuestion].compactMap(\.self).min()
        return (jobs, questions.filter { self.table.hosts[$0] == nil }, next)
    }
}
