public import PlatformKit

/// The promises of ``CertificateIssuer`` as checks, for those who write their own.
///
/// ```swift
/// @Test(arguments: CertificateIssuerConformance.Check.all)
/// func `keeps its promises`(check: CertificateIssuerConformance.Check) async throws {
///     try await check.run(CertificateIssuerConformance(refused: "not a host") { MyIssuer(…) })
/// }
/// ```
///
/// They need no authority: nothing waits for an order to end. An issuer that goes on waiting after it was cancelled is
/// only noticed by the time limit of your test.
public struct CertificateIssuerConformance: Sendable {
    /// One promise.
    public struct Check: Sendable, CustomStringConvertible {
        /// What is checked.
        public let description: String
        private let body: @Sendable (CertificateIssuerConformance) async throws -> Void

        private init(
            _ description: String, _ body: @escaping @Sendable (CertificateIssuerConformance) async throws -> Void
        ) {
            self.description = description
            self.body = body
        }

        /// Checks it.
        ///
        /// - Throws: ``CertificateIssuerConformance/Violation``, or what the issuer threw where it must not throw.
        public func run(_ conformance: CertificateIssuerConformance) async throws { try await self.body(conformance) }

        /// All promises.
        public static let all: [Self] = [
            Self("without hosts there are no orders") { suite in
                let issuer = try await suite.makeIssuer()
                try suite.require(issuer, has: [], after: "it was made")
            },
            Self("each host has one order") { suite in
                let issuer = try await suite.makeIssuer()
                try issuer.setHosts(["a.example.com", "b.example.com"])
                try suite.require(issuer, has: ["a.example.com", "b.example.com"], after: "two hosts were set")
                try issuer.setHosts(["a.example.com", "b.example.com"])
                try suite.require(issuer, has: ["a.example.com", "b.example.com"], after: "they were set again")
            },
            Self("a host that is left out is not ordered any more") { suite in
                let issuer = try await suite.makeIssuer()
                try issuer.setHosts(["a.example.com", "b.example.com"])
                try issuer.setHosts(["b.example.com", "c.example.com"])
                try suite.require(issuer, has: ["b.example.com", "c.example.com"], after: "another host was set")
                try issuer.setHosts([])
                try suite.require(issuer, has: [], after: "no host was set")
            },
            Self("what cannot be ordered is refused, and nothing has changed then") { suite in
                guard let refused = suite.refused else { return }
                let issuer = try await suite.makeIssuer()
                try issuer.setHosts(["a.example.com"])
                do {
                    try issuer.setHosts(["b.example.com", refused])
                } catch {
                    return try suite.require(issuer, has: ["a.example.com"], after: "'\(refused)' was refused")
                }
                throw Violation("it took '\(refused)'")
            },
            Self("whoever waits for certificates can be cancelled") { suite in
                let issuer = try await suite.makeIssuer()
                try issuer.setHosts(["a.example.com"])
                let task = Task { await issuer.waitUntilLoaded() }
                task.cancel()
                await task.value
            },
        ]
    }

    /// A promise that was not kept: what was expected and what was found.
    public struct Violation: Error, Sendable, CustomStringConvertible {
        /// What was expected and what was found.
        public let description: String

        init(_ description: String) { self.description = description }
    }

    /// A host that the issuer can have no certificate for; nil when there is none.
    public let refused: String?
    /// Makes an issuer that knows no host yet. It need not run.
    public let makeIssuer: @Sendable () async throws -> any CertificateIssuer

    /// Prepares to check.
    ///
    /// - Parameters:
    ///   - refused: a host that the issuer can have no certificate for; nil when there is none.
    ///   - makeIssuer: makes an issuer that knows no host yet. It need not run.
    public init(refused: String?, makeIssuer: @escaping @Sendable () async throws -> any CertificateIssuer) {
        self.refused = refused
        self.makeIssuer = makeIssuer
    }

    private func require(
        _ issuer: any CertificateIssuer, has hosts: [String], after what: String
    ) throws(Violation) {
        let found = issuer.orders.map(\.host).sorted()
        if found != hosts { throw Violation("after \(what), the orders should be of \(hosts), but are of \(found)") }
    }
}
