public import RouterCore

/// The promises of ``HealthProbe`` as checks, for those who write their own.
///
/// ```swift
/// @Test(arguments: HealthProbeConformance.Check.all)
/// func `keeps its promises`(check: HealthProbeConformance.Check) async throws {
///     try await check.run(HealthProbeConformance(MyProbe(), passesAt: myInstance))
/// }
/// ```
///
/// They know nothing of the protocol that a probe speaks, and connect it over TCP to instances of their own on the loopback.
public struct HealthProbeConformance: Sendable {
    /// One promise.
    public struct Check: Sendable, CustomStringConvertible {
        /// What is checked.
        public let description: String
        private let body: @Sendable (HealthProbeConformance) async throws -> Void

        init(_ description: String, _ body: @escaping @Sendable (HealthProbeConformance) async throws -> Void) {
            self.description = description
            self.body = body
        }

        /// Checks it. Takes as long as the probe does, but no longer than ``HealthProbeConformance/patience``.
        ///
        /// - Throws: ``HealthProbeConformance/Violation``.
        public func run(_ conformance: HealthProbeConformance) async throws { try await self.body(conformance) }
    }

    /// A promise that was not kept: what was expected and what was found.
    public struct Violation: Error, Sendable, CustomStringConvertible {
        /// What was expected and what was found.
        public let description: String

        init(_ description: String) { self.description = description }
    }

    /// The probe.
    public let probe: any HealthProbe
    /// An instance that can serve, as the probe sees it.
    public let instance: Backend
    /// How long is waited for what has to happen before it counts as a promise not kept: 10 s.
    public var patience: Duration = .seconds(10)

    /// Prepares to check.
    ///
    /// - Parameters:
    ///   - probe: the probe.
    ///   - instance: one that can serve, as the probe sees it. It has to be there while checks run.
    public init(_ probe: any HealthProbe, passesAt instance: Backend) {
        self.probe = probe
        self.instance = instance
    }
}
