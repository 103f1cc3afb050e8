import CProcessLauncher
import Dispatch
import Synchronization
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Makes networks for instances.
///
/// Which addresses are taken the kernel knows: a link is called by its address, and there is but one of a name. So nothing is
/// recorded, other hosts on the machine may have the same range, and what a dead host has left is in nobody's way.
final class Networks: Sendable {
    private let network: InstanceNetwork
    /// Goes around, so that an address is not given again before all others were: whoever still connects to an instance that
    /// has ended meets nobody.
    private let cursor: Mutex<AddressCursor>
    /// Removing a link waits for the processors.
    fileprivate static let queue = DispatchQueue(label: "slipway.process-supervisor.networks")

    init(_ network: InstanceNetwork) {
        self.network = network
        self.cursor = Mutex(AddressCursor(network.addresses ?? 0..<0, startingAt: .random(in: 0 ... .max)))
    }

    /// Makes a network in which nobody is. Blocks for a millisecond; throws `launchFailed`, and then nothing of it is left.
    func make() throws(SupervisorError) -> (network: HeldNetwork, namespace: Descriptor) {
        let host = self.cursor.withLock { $0.addresses.lowerBound } &- 1
        for _ in 0..<self.cursor.withLock({ $0.addresses.count }) {
            guard let address = self.cursor.withLock({ $0.next() }) else { break }
            let made = slipway_make_network(HeldNetwork.linkName(address), host, address, self.network.forwards ? 1 : 0)
            if made.error == EEXIST { continue }
            guard made.error == 0 else { throw Self.failure(made) }
            return (HeldNetwork(address: IPv4Address(address), link: made.link), Descriptor(owning: made.descriptor))
        }
        throw SupervisorError(
            code: .launchFailed,
            message: "cannot make a network: every address of \(self.network.range) is taken; use a wider range")
    }

    /// What the packet filter's table of a range is called. Hosts of one range make the same one.
    static func tableName(_ block: (base: UInt32, bits: UInt32)) -> String {
        "slipway_\(HeldNetwork.digits(block.base))_\(block.bits)"
    }

    /// The packet filter's table of instances for which nothing is forwarded. All hosts make the same one.
    static let unforwardedTable = "slipway_own"

    /// Has the packet filter do what forwarding takes, or drop what is not to be forwarded, before any instance could send.
    /// Throws `launchFailed`.
    ///
    /// - Returns: What is not kept away though it could be, in words.
    func prepare() throws(SupervisorError) -> [String] {
        guard self.network.forwards, let block = self.network.block else { return Self.dropForwarded() }
        let error = slipway_filter_forwarded(
            Self.tableName(block), InstanceNetwork.linkPrefix, block.base, block.bits)
        guard error == 0 else {
            throw SupervisorError(
                code: .launchFailed,
                message: "cannot make a table of the packet filter, which forwarded networks take: "
                    + "\(describe(errno: error)) (is nftables in the kernel, and the host root?)")
        }
        return []
    }

    /// A link says that nothing is forwarded from it, until somebody switches forwarding on for the whole machine: that is on
    /// for all links then. So it is said again where nobody but its owner changes it. Without such a filter instances are kept
    /// as far as the machine does not forward, which is no reason to start none.
    ///
    /// - Parameter filter: Makes the table of that name; answers with 0 or an errno.
    static func dropForwarded(by filter: (String) -> Int32 = { slipway_filter_unforwarded($0) }) -> [String] {
        let error = filter(Self.unforwardedTable)
        if error == 0 { return [] }
        return [
            "cannot make a table of the packet filter: \(describe(errno: error)) (is nftables in the kernel, and the host root?); "
                + "should this machine begin to forward (net.ipv4.ip_forward), instances reach each other and whatever it reaches"
        ]
    }

    private static func failure(_ made: slipway_network) -> SupervisorError {
        let step = made.step.map { String(cString: $0) } ?? "make it"
        let hint =
            switch made.error {
            case EPERM:
                " (a network of an instance's own takes a host with the rights of root; use the network \"shared\")"
            case EROFS: " (/proc/sys has to be writable for the host)"
            case EOPNOTSUPP: " (the kernel needs the module veth)"
            default: ""
            }
        return SupervisorError(
            code: .launchFailed, message: "cannot make a network: \(step): \(describe(errno: made.error))\(hint)")
    }
}

/// Which address is tried next.
struct AddressCursor: Sendable {
    let addresses: Range<UInt32>
    private var offset: UInt32

    init(_ addresses: Range<UInt32>, startingAt offset: UInt32) {
        self.addresses = addresses
        self.offset = addresses.isEmpty ? 0 : offset % UInt32(addresses.count)
    }

    mutating func next() -> UInt32? {
        if self.addresses.isEmpty { return nil }
        defer { self.offset = (self.offset + 1) % UInt32(self.addresses.count) }
        return self.addresses.lowerBound + self.offset
    }
}

/// The network of one instance. The kernel keeps it for as long as somebody is in it.
struct HeldNetwork: Sendable, Hashable {
    /// The instance's.
    let address: IPv4Address
    /// The host's end of its link, by number: the name may be another's already.
    let link: UInt32

    init(address: IPv4Address, link: UInt32) {
        self.address = address
        self.link = link
    }

    /// The network of a process that a former host has started; nil: it has none, or it is not to be believed.
    init?(of pid: Int32, _ pidfd: Descriptor) {
        // Who is in no sandbox can have got any network by itself, with an address that is somebody else's.
        guard !Procfs.shares("pid", with: pid), !Procfs.shares("net", with: pid) else { return nil }
        var address: UInt32 = 0
        guard slipway_network_address(pidfd.rawValue, &address) == 0 else { return nil }
        let link = if_nametoindex(Self.linkName(address))
        guard link > 0 else { return nil }
        self.init(address: IPv4Address(address), link: link)
    }

    static func linkName(_ address: UInt32) -> String { InstanceNetwork.linkPrefix + Self.digits(address) }

    fileprivate static func digits(_ address: UInt32) -> String {
        let digits = String(address, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// Removes it soon. The kernel would do so by itself, but not before the last connection is forgotten.
    func retire() {
        Networks.queue.async { [link] in _ = slipway_remove_link(link) }
    }
}
