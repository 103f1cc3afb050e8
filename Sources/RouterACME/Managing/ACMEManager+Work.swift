import Logging
import RouterCore
import Synchronization

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What the manager does while it runs.
extension ACMEManager {
    // MARK: Start

    /// Reads the account's key, or makes one.
    func openAccount() async throws -> ACMEClient {
        let record: AccountRecord
        if let known = try await self.records.account() {
            record = known
        } else {
            record = AccountRecord(directory: self.configuration.directory, key: AccountKey().pem)
            // Kept before it is used, or a crash would leave the account without its key.
            try await self.records.write(record)
        }
        let key: AccountKey
        do {
            key = try AccountKey(pem: record.key)
        } catch {
            throw ACMEError(.storage, "The key of the ACME account that is kept for this authority is damaged.")
        }
        let isCurrent = record.contact == self.configuration.contact
        self.state.withLock { $0.table.hasAccount = record.url != nil && isCurrent }
        return ACMEClient(
            directoryURL: self.configuration.directory, key: key, account: record.url, transport: self.transport,
            now: self.now)
    }

    /// Uses the certificates that were kept, and removes those that have ended.
    func load() async throws {
        let (records, errors) = try await self.records.certificates()
        for error in errors {
            self.logger.info("a kept certificate cannot be used", metadata: ["acme.error": "\(error)"])
        }
        for record in records {
            let now = self.now()
            guard let held = self.read(record) else { continue }
            guard held.facts.notAfter > now else {
                try? await self.records.removeCertificate(of: record.host)
                continue
            }
            self.state.withLock { state in
                state.held[record.host] = held
                if record.isOnDemand, self.policy != nil { state.table.demand(record.host, now: now) }
                self.adopt(record.host, &state, now)
            }
        }
    }

    private func read(_ record: CertificateRecord) -> Held? {
        let chain = Array(record.chain.utf8)
        do {
            return Held(
                certificate: try TLSCertificate(chain: chain, key: Array(record.key.utf8)),
                facts: try CertificateFacts(chain: chain), challenge: record.challenge,
                isCurrent: record.directory == self.configuration.directory)
        } catch {
            self.logger.info(
                "a kept certificate cannot be used",
                metadata: ["acme.host": "\(record.host)", "acme.error": "\(error)"])
            return nil
        }
    }

    // MARK: Certificates in use

    /// Uses the certificate that is kept for a host that is wanted and has none yet.
    func adopt(_ host: String, _ state: inout State, _ now: Date) {
        guard let entry = state.table.hosts[host], entry.certificate == nil, let held = state.held[host],
            held.facts.notAfter > now
        else { return }
        do {
            try self.use(held, for: host, isKept: true, &state, now)
        } catch {
            // It is ordered anew.
            self.logger.info(
                "a kept certificate cannot be used", metadata: ["acme.host": "\(host)", "acme.error": "\(error)"])
        }
    }

    /// Gives the router a certificate and plans its renewal. Inside the lock, so that what the router has is what the
    /// table says, whoever changes it at the same time; it takes a part of a millisecond.
    func use(_ held: Held, for host: String, isKept: Bool, _ state: inout State, _ now: Date) throws {
        state.held[host] = held
        guard state.table.hosts[host] != nil else { return state.table.stopped(host) }
        try self.certificates.set(held.certificate, hosts: [host])
        state.table.has(
            held.facts, for: host, isKept: isKept, isCurrent: held.isCurrent, now: now, chance: self.chance())
    }

    /// Takes a host's certificate from the router, unless somebody else gave it another one.
    func uninstall(_ host: String) {
        self.state.withLock { state in
            guard state.table.hosts[host] == nil, let held = state.held[host],
                self.certificates.certificate(host: host) == held.certificate
            else { return }
            self.certificates.remove(hosts: [host])
        }
    }

    // MARK: Demand

    /// A client asked for a host without a certificate. Called in handshakes: only notes it.
    func demanded(_ host: String) {
        guard let host = try? HostName.check(host) else { return }
        let now = self.now()
        let isNew = self.state.withLock { state in
            state.table.hosts[host] == nil && state.gate.ask(host, now: now, chance: self.chance())
        }
        if isNew { self.bell.ring() }
    }

    /// Asks the policy about a host.
    func consider(_ host: String) async {
        let isKnown = await self.policy?.isKnown(host) ?? false
        let now = self.now()
        self.state.withLock { state in
            guard isKnown else {
                state.gate.turnDown(host, now: now)
                return
            }
            state.table.demand(host, now: now)
            self.adopt(host, &state, now)
        }
        self.bell.ring()
    }

    // MARK: Jobs

    func perform(_ job: HostTable.Job, _ client: ACMEClient) async {
        switch job {
        case .order(let host, let replacing): await self.tryOrder(host, replacing: replacing, client)
        case .ask(let host, let id): await self.askForRenewal(host, id, client)
        }
        self.bell.ring()
    }

    private func tryOrder(_ host: String, replacing: String?, _ client: ACMEClient) async {
        do {
            try await self.order(host, replacing: replacing, client)
        } catch is CancellationError {
            self.state.withLock { $0.table.stopped(host) }
            return
        } catch {
            let failure = error as? ACMEError ?? ACMEError(.unexpectedAnswer, "The order failed.", cause: error)
            self.logger.info(
                "no certificate could be had", metadata: ["acme.host": "\(host)", "acme.error": "\(failure)"])
            let now = self.now()
            self.state.withLock { $0.table.failed(host, failure, now: now, chance: self.chance()) }
        }
        guard let onChange,
            let status = self.state.withLock({ state in
                state.table.hosts[host].map { ACMEHostStatus(host, $0, state.table.jobs[host]) }
            })
        else { return }
        onChange(status)
    }

    private func order(_ host: String, replacing: String?, _ client: ACMEClient) async throws {
        let (isOnDemand, hasAccount) = self.state.withLock {
            ($0.table.hosts[host]?.isOnDemand ?? false, $0.table.hasAccount)
        }
        if isOnDemand, await self.policy?.isKnown(host) != true {
            await self.drop(host)
            return
        }
        if !hasAccount { try await self.register(client) }
        let issued: OrderRunner.Issued
        do {
            issued = try await self.runner(client).order(host: host, kinds: self.kinds(host), replacing: replacing)
        } catch let error as ACMEError where error.problem?.name == "accountDoesNotExist" {
            // The authority has forgotten us, as one for tests does when it is restarted.
            try await self.register(client)
            issued = try await self.runner(client).order(host: host, kinds: self.kinds(host), replacing: nil)
        }
        // An authority that still remembers the last proof wants no other.
        let challenge = issued.challenge ?? self.state.withLock { $0.held[host]?.challenge }
        let kept = CertificateRecord(
            host: host, directory: self.configuration.directory, chain: String(decoding: issued.chain, as: UTF8.self),
            key: issued.keyPEM, isOnDemand: isOnDemand, challenge: challenge)
        do {
            try await self.records.write(kept)
        } catch {
            // It is used all the same; only a restart would have to order it again.
            self.logger.info(
                "a certificate could not be kept", metadata: ["acme.host": "\(host)", "acme.error": "\(error)"])
        }
        let now = self.now()
        let held = Held(
            certificate: issued.certificate, facts: issued.facts, challenge: challenge, isCurrent: true)
        try self.state.withLock { try self.use(held, for: host, isKept: false, &$0, now) }
        self.logger.info(
            "certificate issued", metadata: ["acme.host": "\(host)", "acme.until": "\(issued.facts.notAfter)"])
    }

    private func runner(_ client: ACMEClient) -> OrderRunner {
        OrderRunner(
            client: client, challenges: self.challenges, clock: self.clock, now: self.now,
            profile: self.configuration.profile, patience: self.configuration.orderPatience)
    }

    /// The challenges to try, first the one that worked the last time.
    private func kinds(_ host: String) -> [ACMEChallengeKind] {
        let kinds = self.configuration.challenges
        guard let proven = self.state.withLock({ $0.held[host]?.challenge }), kinds.contains(proven) else {
            return kinds
        }
        return [proven] + kinds.filter { $0 != proven }
    }

    private func register(_ client: ACMEClient) async throws {
        let contact = self.configuration.contact
        let (url, isNew) = try await client.register(
            contact: contact, termsAgreed: self.configuration.termsOfServiceAgreed,
            binding: self.configuration.externalAccount)
        // An account that was there before has the contact that it had.
        if !isNew { try await client.update(contact: contact) }
        try await self.records.write(
            AccountRecord(
                directory: self.configuration.directory, key: client.key.pem, url: url, contact: contact))
        self.state.withLock { $0.table.hasAccount = true }
        self.logger.info("ACME account ready", metadata: ["acme.account": "\(url)"])
    }

    /// A host that was once known and asked for is no longer.
    private func drop(_ host: String) async {
        self.state.withLock { $0.table.forget(host) }
        self.uninstall(host)
        self.state.withLock { state in
            if state.table.hosts[host] == nil { state.held[host] = nil }
        }
        try? await self.records.removeCertificate(of: host)
    }

    private func askForRenewal(_ host: String, _ id: String, _ client: ACMEClient) async {
        // What goes wrong here matters little: two thirds of the certificate's time is a good time, too.
        let window = try? await client.renewalWindow(id: id)
        let now = self.now()
        self.state.withLock { $0.table.told(host, window: window, now: now, chance: self.chance()) }
    }
}
