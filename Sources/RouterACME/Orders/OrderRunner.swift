import RouterCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Carries one order out: does what the machine says, and falls to the next challenge when one fails.
struct OrderRunner: Sendable {
    let client: ACMEClient
    let challenges: ACMEChallenges
    let clock: any Clock<Duration>
    let now: @Sendable () -> Date
    var profile: String?
    var patience: Duration

    /// A certificate as it comes from the authority.
    struct Issued: Sendable {
        var certificate: TLSCertificate
        var facts: CertificateFacts
        var chain: [UInt8]
        var keyPEM: String
        /// The challenge by which the host was proved; nil when it needed no proof.
        var challenge: ACMEChallengeKind?
    }

    /// Orders a certificate for a host.
    ///
    /// - Parameter kinds: the challenges to try, in their order.
    func order(host: String, kinds: [ACMEChallengeKind], replacing: String?) async throws -> Issued {
        var left = kinds
        var failure: ACMEError?
        while !left.isEmpty {
            do {
                return try await self.attempt(host, left, replacing)
            } catch let error as ACMEError where error.code == .challengeFailed && left.count > 1 {
                // The error of the preferred one is the one to tell.
                failure = failure ?? error
                let failed = error.challenge ?? left[0]
                left = left.filter { $0 != failed }
                if !kinds.contains(failed) { left = [] }
            } catch let error as ACMEError {
                throw failure.map { Self.combined($0, error) } ?? error
            }
        }
        throw failure ?? ACMEError(.invalidConfiguration, "There is no challenge by which hosts may be proved.")
    }

    private static func combined(_ first: ACMEError, _ second: ACMEError) -> ACMEError {
        var error = first
        error.message += " Then it was tried by \(second.challenge?.description ?? "another way"): \(second)"
        error.retryAfter = [first.retryAfter, second.retryAfter].compactMap(\.self).max()
        return error
    }

    private func attempt(
        _ host: String, _ kinds: [ACMEChallengeKind], _ replacing: String?
    ) async throws -> Issued {
        let directory = try await self.client.directory()
        let request = try SigningRequest(hosts: [host])
        var machine = OrderMachine(
            newOrderURL: directory.newOrder,
            settings: OrderMachine.Settings(
                hosts: [host], challenges: kinds, signingRequest: request.bytes, profile: self.profile,
                replaces: directory.renewalInfo == nil ? nil : replacing, patience: self.patience))
        var presented: [OrderMachine.Presentation] = []
        defer { for presentation in presented { self.withdraw(presentation) } }
        var action = try machine.start()
        while true {
            switch action {
            case .post(let url, let payload):
                action = try machine.received(try await self.client.post(url, payload))
            case .present(let presentation):
                presented.append(presentation)
                try self.present(presentation)
                action = try machine.presented()
            case .wait(let time):
                try await self.clock.sleep(for: time)
                action = try machine.waitedEnough()
            case .finish(let chain):
                return try self.check(chain, request, host, presented.last?.kind)
            }
        }
    }

    private func present(_ presentation: OrderMachine.Presentation) throws {
        let authorization = self.client.key.keyAuthorization(token: presentation.token)
        if presentation.kind == .tlsALPN01 {
            let (chain, key) = try ChallengeCertificate.make(
                host: presentation.host, keyAuthorization: authorization, now: self.now())
            let certificate = try TLSCertificate(chain: chain, key: key)
            try self.challenges.setTLSALPN(host: presentation.host, certificate: certificate)
        } else {
            self.challenges.setHTTP(token: presentation.token, keyAuthorization: authorization)
        }
    }

    private func withdraw(_ presentation: OrderMachine.Presentation) {
        if presentation.kind == .tlsALPN01 {
            self.challenges.removeTLSALPN(host: presentation.host)
        } else {
            self.challenges.removeHTTP(token: presentation.token)
        }
    }

    /// Takes the authority's word for nothing: the chain has to be for our key and our host.
    private func check(
        _ chain: [UInt8], _ request: SigningRequest, _ host: String, _ kind: ACMEChallengeKind?
    ) throws -> Issued {
        let certificate: TLSCertificate
        let facts: CertificateFacts
        do {
            certificate = try TLSCertificate(chain: chain, key: Array(request.keyPEM.utf8))
            facts = try CertificateFacts(chain: chain)
        } catch {
            throw ACMEError(
                .unexpectedAnswer, "The certificate that the authority issued for '\(host)' cannot be used.",
                cause: error)
        }
        guard certificate.covers(host: host), facts.notAfter > self.now() else {
            throw ACMEError(
                .unexpectedAnswer, "The certificate that the authority issued is not for '\(host)', or has expired.")
        }
        return Issued(
            certificate: certificate, facts: facts, chain: chain, keyPEM: request.keyPEM, challenge: kind)
    }
}
