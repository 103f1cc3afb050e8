internal import Logging
public import PlatformWire
internal import RouterCore

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension Platform {
    /// Adds a certificate with its key, and serves its hosts with it from the next handshake on.
    ///
    /// It takes the place of older ones of the same owner all of whose hosts it names. With the name of an application it
    /// is for that one's hosts; with `nil` it is the platform's own, for all that it names.
    ///
    /// - Throws: `invalid` that says what is wrong with the certificate or the key, or that it is for no host of the
    ///   application; `limit` when there are too many.
    public func addCertificate(
        _ upload: CertificateUpload, to name: String?, by principal: Principal
    ) async throws(PlatformError) -> CertificateInfo {
        let certificate = try self.check(upload)
        let application = try await self.findOwner(name)
        if let application {
            let hosts = try await self.hosts(of: application)
            guard hosts.contains(where: { certificate.covers(host: $0) }) else {
                throw PlatformError(
                    .invalid,
                    """
                    the certificate is for \(certificate.hosts.joined(separator: ", ")), and none of these is a host of \
                    \(application.name) (\(hosts.joined(separator: ", "))); add the host first: slipway domains add HOST
                    """)
            }
        }
        let id = UUID().uuidString.lowercased()
        var record = CertificateRecord(
            id: id, applicationID: application?.id, hosts: certificate.hosts, chain: upload.certificate,
            sealedKey: Data(), createdAt: self.now(), author: principal.name)
        record.sealedKey = try self.sealer.seal(["key": upload.key], for: record.sealingContext)
        let maximum = self.configuration.maxCertificatesPerOwner
        try await self.writing { [record] records in
            let siblings = try records.certificates().filter { $0.applicationID == record.applicationID }
            let replaced = siblings.filter { Set($0.hosts).isSubset(of: record.hosts) }
            guard siblings.count - replaced.count < maximum else {
                throw PlatformError(.limit, "there are \(maximum) certificates, which is the limit; remove one first")
            }
            for old in replaced { try records.deleteCertificate(id: old.id) }
            try records.insert(record)
        }
        let words = "\(certificate.hosts.joined(separator: ", ")), until \(Self.day(certificate.notAfter))"
        try await self.audit("certs.add", application, words, by: principal)
        if let application { self.note("Certificate added for \(words)", application.id) }
        await self.refreshCertificates()
        return self.info(record, application?.name)
    }

    /// Removes the added certificate that names this host, for all hosts that it names.
    /// It belongs to the application of that name; with `nil`, to the platform itself.
    ///
    /// - Returns: what was removed.
    /// - Throws: `notFound` when there is none.
    public func removeCertificate(
        host: String, of name: String?, by principal: Principal
    ) async throws(PlatformError) -> CertificateInfo {
        let host = host.lowercased()
        let application = try await self.findOwner(name)
        let removed = try await self.writing { records -> CertificateRecord in
            let own = try records.certificates().filter { $0.applicationID == application?.id }
            // The newest, which is the one in use.
            guard
                let record = own.last(where: { $0.hosts.contains(host) })
                    ?? own.last(where: { CertificatePlan.names($0.hosts, cover: host) })
            else {
                let names = Set(own.flatMap(\.hosts)).sorted().joined(separator: ", ")
                throw PlatformError(
                    .notFound,
                    "\(application?.name ?? "the platform") has no added certificate for \(host)"
                        + (names.isEmpty ? "" : "; it has some for \(names)"))
            }
            try records.deleteCertificate(id: record.id)
            return record
        }
        let info = self.info(removed, application?.name)
        let words = removed.hosts.joined(separator: ", ")
        try await self.audit("certs.remove", application, words, by: principal)
        if let application { self.note("Certificate removed for \(words)", application.id) }
        await self.refreshCertificates()
        return info
    }

    /// The certificates of an application: its own, those that are ordered for it, and the platform's that its hosts are
    /// served with. Without an application, all that there are.
    public func certificates(of name: String?) async throws(PlatformError) -> [CertificateInfo] {
        let application = try await self.findOwner(name)
        let state = try await self.certificateState()
        let owners = Dictionary(state.applications.map { ($0.id, $0) }) { first, _ in first }
        let wanted = application.flatMap { owners[$0.id]?.hosts }
        var result: [CertificateInfo] = []
        for record in state.records {
            if let application, record.applicationID != application.id {
                guard record.applicationID == nil,
                    (wanted ?? []).contains(where: { CertificatePlan.names(record.hosts, cover: $0) })
                else { continue }
            }
            result.append(self.info(record, record.applicationID.map { self.names.name(of: $0) }))
        }
        for order in self.desk.issuer?.orders ?? [] where wanted?.contains(order.host) ?? true {
            let owner = state.applications.first { $0.hosts.contains(order.host) }
            result.append(self.info(order, owner.map { self.names.name(of: $0.id) }))
        }
        return result.sorted { ($0.hosts.first ?? "", $0.source) < ($1.hosts.first ?? "", $1.source) }
    }

    // MARK: Parts

    /// Brings what is served to what the state says. It comes after a change that is recorded already: what fails is
    /// logged and tried again with the next change, and neither that nor a client that goes away fails what was asked for.
    func refreshCertificates() async {
        await shielded {
            do {
                try await self.desk.refresh { try await self.certificateState() }
            } catch {
                self.logger.error("cannot bring certificates into use", metadata: ["error": "\(error)"])
            }
        }
    }

    private func certificateState() async throws(PlatformError) -> (
        applications: [CertificatePlan.Application], records: [CertificateRecord]
    ) {
        let domain = self.configuration.domain
        return try await self.reading { records in
            let domains = Dictionary(grouping: try records.domains(), by: \.applicationID)
            let applications = try records.applications().map { application in
                CertificatePlan.Application(
                    id: application.id,
                    hosts: ["\(application.name).\(domain)"] + (domains[application.id] ?? []).map(\.host),
                    isAutomatic: application.automaticCertificates)
            }
            return (applications, try records.certificates())
        }
    }

    /// Writes what became of orders into the logs of the applications that they were for.
    func followOrders() async {
        guard let orders = self.desk.issuer?.endedOrders else { return }
        for await order in orders {
            guard
                let owner = try? await self.certificateState().applications.first(where: {
                    $0.hosts.contains(order.host)
                })
            else { continue }
            if order.state == .valid {
                self.note("Certificate for \(order.host) was issued", owner.id)
            } else {
                self.note(
                    """
                    Certificate for \(order.host) could not be ordered: \(order.lastError ?? "no reason was given") \
                    (next try: \(Self.minute(order.nextOrder)))
                    """, owner.id)
            }
        }
    }

    private func findOwner(_ name: String?) async throws(PlatformError) -> ApplicationRecord? {
        guard let name else { return nil }
        return try await self.find(name)
    }

    private func check(_ upload: CertificateUpload) throws(PlatformError) -> TLSCertificate {
        let limit = self.configuration.maxCertificateBytes
        for (what, text) in [("certificate", upload.certificate), ("key", upload.key)] where text.utf8.count > limit {
            throw PlatformError(.limit, "the \(what) has \(text.utf8.count) bytes; at most \(limit) are allowed")
        }
        let certificate: TLSCertificate
        do throws(TLSError) {
            certificate = try TLSCertificate(chain: Array(upload.certificate.utf8), key: Array(upload.key.utf8))
            // In a store of its own, so that what a handshake would refuse is refused now.
            try CertificateStore().set(certificate)
        } catch {
            throw PlatformError(.invalid, error.description, cause: error)
        }
        let now = Int64(self.now().timeIntervalSince1970)
        guard certificate.notAfter >= now else {
            throw PlatformError(
                .invalid,
                "the certificate for \(certificate.hosts.joined(separator: ", ")) ended on "
                    + "\(Self.day(certificate.notAfter)); no client would take it")
        }
        // Clocks differ by minutes, not by days.
        guard certificate.notBefore <= now + 86_400 else {
            throw PlatformError(
                .invalid,
                "the certificate for \(certificate.hosts.joined(separator: ", ")) is not valid before "
                    + "\(Self.day(certificate.notBefore))")
        }
        return certificate
    }

    private static func day(_ seconds: Int64) -> String {
        String(WireJSON.text(of: Date(timeIntervalSince1970: Double(seconds))).prefix(10))
    }

    private static func minute(_ date: Date) -> String {
        String(WireJSON.text(of: date).prefix(16)).replacing("T", with: " ")
    }
}
