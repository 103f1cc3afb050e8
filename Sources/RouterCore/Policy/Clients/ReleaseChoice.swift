#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Gives every client a release, the same one as long as the shares are the same.
///
/// Each release draws a number for the client, from a hash that only the router can compute, which tends to be the
/// smaller the larger its weight; the smallest wins. A weight changes its own release's numbers and no other's: when
/// it grows, clients come to it and none moves between the others, and when it shrinks, clients leave it alone. Laying
/// the shares side by side on one scale would have that property for two releases only: with three, raising the
/// last one moves the border between the first two as well.
struct ReleaseChoice: Sendable {
    private struct Share: Sendable {
        var hash: SipHash
        var weight: Double
    }

    private let shares: [Share]
    /// In lower case; nil to know clients by their address.
    private let header: [UInt8]?

    init(_ route: ApplicationRoute, key: SecretKey) {
        self.shares = route.releases.map { release in
            var hash = SipHash(key, "release")
            hash.add(field: route.application)
            hash.add(field: release.name)
            return Share(hash: hash, weight: Double(release.weight))
        }
        if case .header(let name) = route.releaseKey {
            self.header = name.utf8.map(ByteClass.lowercased)
        } else {
            self.header = nil
        }
    }

    /// The position of the client's release.
    func release(for request: some RequestView) -> Int? {
        if let header = self.header {
            let found = header.withUnsafeBytes { request.firstValue($0) { !$0.isEmpty } }
            if let value = found { return self.smallest { $0.add(field: value) } }
        }
        return self.release(for: request.client)
    }

    func release(for client: ClientAddress) -> Int? { self.smallest { $0.add(client.network) } }

    @inline(__always)
    private func smallest(_ add: (inout SipHash) -> Void) -> Int? {
        var best: Int?
        var bestDraw = Double.infinity
        for index in self.shares.indices where self.shares[index].weight > 0 {
            var hash = self.shares[index].hash
            add(&hash)
            // Between 0 and 1 and never either; its negated logarithm, divided by the weight, is the time until
            // something happens that happens at this rate. The first of several such things is release i's with the
            // probability that its weight has among all.
            let uniform = (Double(hash.finish() >> 12) + 0.5) * 0x1p-52
            let draw = -log(uniform) / self.shares[index].weight
            if draw < bestDraw {
                bestDraw = draw
                best = index
            }
        }
        return best
    }
}
