import Testing

@testable import ProcessSupervisor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What networks of instances' own are made of, decided from texts alone.
@Suite struct InstanceNetworkTests {
    @Test func `the host has the first address, and instances all others but the last`() {
        let network = InstanceNetwork(range: "10.213.0.0/29")
        #expect(network.hostAddress == "10.213.0.1")
        #expect(network.addresses.map { $0.map { IPv4Address($0).description } } == (2...6).map { "10.213.0.\($0)" })
        #expect(InstanceNetwork().addresses?.count == 65533)
    }

    @Test(arguments: [
        "", "10.213.0.0", "10.213.0.0/", "10.213.0.0/30", "10.0.0.0/7", "10.213.0.1/16", "10.213.0/16", "10.256.0.0/16",
        "0.0.0.0/8", "10.213.0.0/16/2", "10.213.0.0/-16", "fd00::/16", " 10.213.0.0/16",
    ])
    func `a range that is none is refused`(range: String) {
        let policy = SandboxPolicy(network: .own(InstanceNetwork(range: range)))
        let error = #expect(throws: SupervisorError.self) { try SandboxLauncher(policy: policy) }
        #expect(error?.message.contains("use a range such as 10.213.0.0/16") == true)
    }

    @Test func `every address is tried once before one is tried again`() {
        var cursor = AddressCursor(7..<11, startingAt: .max)
        let round = (0..<4).compactMap { _ in cursor.next() }
        #expect(Set(round) == [7, 8, 9, 10])
        #expect(cursor.next() == round[0])
        var none = AddressCursor(7..<7, startingAt: 3)
        #expect(none.next() == nil)
    }

    @Test func `a link is called by its address, in as many characters as Linux takes`() {
        #expect(HeldNetwork.linkName(0x0ad5_0002) == "swy0ad50002")
        #expect(HeldNetwork.linkName(.max).utf8.count <= 15)
    }

    @Test func `without a sandbox there is no network of one's own, and that is an error`() throws {
        let policy = SandboxPolicy(network: .own(InstanceNetwork()))
        let isolation = try Isolation(among: [.sandbox: .fails("no rights")])
        let error = #expect(throws: SupervisorError.self) { try isolation.launcher(policy: policy) }
        #expect(
            error?.message.contains("take the isolation \"sandbox\" or \"oci\"; sandbox does not work: no rights")
                == true)
        #expect(try isolation.launcher().givesAddresses == false)
        #expect(try SandboxLauncher(policy: policy).givesAddresses)
    }

    @Test func `where the packet filter takes nothing, that is told, and nothing else is amiss`() {
        let warnings = Networks.dropForwarded { $0 == "slipway_own" ? EPERM : 0 }
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("Operation not permitted") == true)
        #expect(warnings.first?.contains("net.ipv4.ip_forward") == true)
        #expect(Networks.dropForwarded { _ in 0 } == [])
    }

    @Test func `it says what was chosen, and what forwarding takes`() {
        #expect("\(SandboxPolicy.Network.shared)".contains("network: shared"))
        #expect(
            "\(SandboxPolicy.Network.own(InstanceNetwork()))".contains(
                "reaches the host at 10.213.0.1 and nothing else"))
        let forwarded = "\(SandboxPolicy.Network.own(InstanceNetwork(forwards: true)))"
        #expect(forwarded.contains("reaches the host at 10.213.0.1, and others as the machine forwards"))
    }
}
