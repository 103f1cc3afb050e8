public import PlatformKit
internal import Synchronization

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// An issuer that issues nothing, and says about its orders what the test wants.
public final class ScriptedIssuer: CertificateIssuer {
    private struct State {
        var hosts: Set<String> = []
        var problems: [String: String] = [:]
    }

    private let state = Mutex(State())
    private let ended: AsyncStream<CertificateOrder>.Continuation
    /// The orders that the test has ended.
    public let endedOrders: AsyncStream<CertificateOrder>

    /// Makes one without hosts.
    public init() { (self.endedOrders, self.ended) = AsyncStream.makeStream() }

    /// The hosts that are wanted now.
    public var hosts: Set<String> { self.state.withLock { $0.hosts } }

    /// Records the hosts.
    public func setHosts(_ hosts: Set<String>) { self.state.withLock { $0.hosts = hosts } }

    /// Returns at once: it keeps none.
    public func waitUntilLoaded() async {}

    /// One for each host: waiting, or failing when the test said so.
    public var orders: [CertificateOrder] {
        self.state.withLock { state in state.hosts.sorted().map { Self.order($0, state.problems[$0]) } }
    }

    /// Lets the order of a host fail.
    public func fail(_ host: String, because problem: String) {
        self.state.withLock { $0.problems[host] = problem }
        self.ended.yield(Self.order(host, problem))
    }

    private static func order(_ host: String, _ problem: String?) -> CertificateOrder {
        CertificateOrder(
            host: host, state: problem == nil ? .waiting : .failing, nextOrder: Date(timeIntervalSince1970: 0),
            lastError: problem)
    }
}
