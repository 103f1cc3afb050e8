/// Networks of instances' own: each a loopback that is nobody else's, and a link to the host with an address of its own.
///
/// The host reaches each instance at its address, so all may listen on the same port. An instance reaches what listens at the
/// host's address or at all of the host's, and nothing that listens on the host's 127.0.0.1; no other instance; and nothing
/// beyond the host, unless that is wanted.
///
/// It takes a host with the rights of root (`CAP_NET_ADMIN` and `CAP_SYS_ADMIN`), and IPv4. Only a launcher with a
/// ``SandboxPolicy`` makes them.
public struct InstanceNetwork: Sendable, Hashable {
    /// The addresses, as `10.213.0.0/16`: a private range, of which nothing is in use by others, with a prefix of 8 to 29 bits.
    /// The first after that of the range is the host's, in every network; each of the others but the last is for one instance.
    public var range: String
    /// Whether the host passes on what instances send to others than the host, in its own name, where the machine forwards at
    /// all (`net.ipv4.ip_forward`, which is the operator's to set). The launcher then makes a table of the machine's packet
    /// filter (nftables), which also keeps instances from each other and from whoever else would come past the router. It stays, as
    /// instances may.
    public var forwards: Bool

    /// Describes the networks.
    public init(range: String = "10.213.0.0/16", forwards: Bool = false) {
        self.range = range
        self.forwards = forwards
    }

    /// The address at which every instance reaches the host; nil when the range is none.
    public var hostAddress: String? { self.addresses.map { IPv4Address($0.lowerBound - 1).description } }

    /// What the host's ends of links are called, before the address of the instance in hexadecimal digits.
    static let linkPrefix = "swy"

    /// Those that instances may have; nil when the range is none.
    var addresses: Range<UInt32>? {
        self.block.map { $0.base + 2..<$0.base + (UInt32(1) << (32 - $0.bits) - 1) }
    }

    /// The range as numbers.
    var block: (base: UInt32, bits: UInt32)? {
        let parts = self.range.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let base = IPv4Address(parts[0]), let bits = UInt32(parts[1]), (8...29).contains(bits)
        else { return nil }
        guard base.number % (UInt32(1) << (32 - bits)) == 0, base.number > 0 else { return nil }
        return (base.number, bits)
    }

    func validate() throws(SupervisorError) {
        guard self.addresses == nil else { return }
        throw .invalid(
            "\"\(self.range)\" cannot be the addresses of instances: use a range such as 10.213.0.0/16, of 8 to 29 bits"
        )
    }
}

extension SandboxPolicy {
    /// Which network instances are in.
    public enum Network: Sendable, Hashable {
        /// The host's, with everything that listens there.
        case shared
        /// One of its own for each.
        case own(InstanceNetwork)
    }
}

extension SandboxPolicy.Network: CustomStringConvertible {
    /// What was chosen, for the log.
    public var description: String {
        switch self {
        case .shared: return "instances share the host's network (network: shared)"
        case .own(let network):
            let own =
                "each instance has a network of its own, with an address of \(network.range), and reaches the host at "
                + (network.hostAddress ?? "no address")
            return network.forwards
                ? own + ", and others as the machine forwards (net.ipv4.ip_forward; network: forwarded)"
                : own + " and nothing else (network: own)"
        }
    }
}

/// An address of IPv4, as a number and as people write it.
struct IPv4Address: Sendable, Hashable, CustomStringConvertible {
    let number: UInt32

    static let loopback = Self(0x7f00_0001)

    init(_ number: UInt32) { self.number = number }

    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        guard parts.count == 4 else { return nil }
        var number: UInt32 = 0
        for part in parts {
            guard let part else { return nil }
            number = number << 8 | UInt32(part)
        }
        self.number = number
    }

    var description: String { [24, 16, 8, 0].map { "\((self.number >> $0) & 255)" }.joined(separator: ".") }
}
