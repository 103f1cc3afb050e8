import Testing

@testable import RouterCore

@Suite struct `Addresses` {
    @Test(arguments: [
        ("10.0.0.0/8", "10.1.2.3", true), ("10.0.0.0/8", "11.1.2.3", false), ("192.168.4.0/22", "192.168.7.255", true),
        ("192.168.4.0/22", "192.168.8.0", false), ("127.0.0.1", "127.0.0.1", true), ("::1", "::1", true),
        ("fd00::/8", "fd12::1", true), ("0.0.0.0/0", "::1", false), ("::/0", "10.0.0.1", false),
        ("::/0", "fe80::1%eth0", true), ("10.0.0.0/8", "::ffff:10.0.0.1", true), ("::ffff:0:0/96", "10.0.0.1", true),
        ("10.9.9.9/8", "10.0.0.1", true), ("::/64", "10.0.0.1", false), ("::/64", "::7", true),
    ])
    func `are in their ranges`(range: String, address: String, isInside: Bool) throws {
        let range = try AddressRange(range)
        let address = try #require(ClientAddress(address))
        #expect(range.contains(address) == isInside)
        #expect(AddressSet([range]).contains(address) == isInside)
    }

    @Test(arguments: [
        "", "a", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0", "::1/129", "::1%lo/8", "1.2.3.4/+8",
    ])
    func `are nothing else`(text: String) {
        #expect(throws: RouterError.self) { try AddressRange(text) }
    }

    @Test func `come as bytes too`() {
        let four: [UInt8] = [192, 0, 2, 1]
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, 1]
        let address = ClientAddress("192.0.2.1")
        #expect(four.withUnsafeBytes { ClientAddress(bytes: $0) } == address)
        #expect(mapped.withUnsafeBytes { ClientAddress(bytes: $0) } == address)
        #expect([1, 2].withUnsafeBytes { ClientAddress(bytes: $0) } == address ? false : true)
        #expect(ClientAddress("2001:db8:1:2:3:4:5:6")?.network == ClientAddress("2001:db8:1:2::"))
        #expect(address?.network == address)
    }

    /// Against a comparison bit by bit.
    @Test(arguments: 0..<8) func `are found in many ranges as in each`(seed: Int) throws {
        var random = LoopRandom(seed: UInt64(seed))
        // Few different bits, so that ranges overlap, touch, and are hit.
        func bits(_ random: inout LoopRandom) -> UInt128 {
            random.below(2) == 0
                ? ClientAddress(ipv4: UInt32(random.below(64)) << 26 | UInt32(random.below(8))).bits
                : UInt128(random.below(64)) << 122 | UInt128(random.below(8)) << 30
        }
        func text(_ bits: UInt128) -> String {
            if ClientAddress(bits: bits).isIPv4 {
                return stride(from: 24, through: 0, by: -8).map { "\(UInt8(truncatingIfNeeded: bits >> UInt128($0)))" }
                    .joined(separator: ".")
            }
            return stride(from: 112, through: 0, by: -16).map { shift in
                String(UInt16(truncatingIfNeeded: bits >> UInt128(shift)), radix: 16)
            }.joined(separator: ":")
        }
        var ranges: [(bits: UInt128, prefix: Int, range: AddressRange)] = []
        for _ in 0..<20 {
            let bits = bits(&random)
            let isIPv4 = ClientAddress(bits: bits).isIPv4
            let prefix = random.below((isIPv4 ? 32 : 128) + 1)
            let range = try AddressRange("\(text(bits))/\(prefix)")
            ranges.append((bits, isIPv4 ? prefix + 96 : prefix, range))
        }
        let set = AddressSet(ranges.map(\.range))
        for _ in 0..<500 {
            let address = ClientAddress(bits: bits(&random))
            func isIn(_ bits: UInt128, _ prefix: Int) -> Bool {
                guard ClientAddress(bits: bits).isIPv4 == address.isIPv4 else { return false }
                return (0..<prefix).allSatisfy { (bits ^ address.bits) >> UInt128(127 - $0) & 1 == 0 }
            }
            let expected = ranges.map { isIn($0.bits, $0.prefix) }
            #expect(ranges.map { $0.range.contains(address) } == expected)
            #expect(set.contains(address) == expected.contains(true))
        }
    }
}

@Suite struct `A keyed hash` {
    /// The values that its authors published.
    @Test(
        arguments: [
            (0, 0x726F_DB47_DD0E_0E31), (1, 0x74F8_39C5_93DC_67FD), (7, 0xAB02_00F5_8B01_D137),
            (8, 0x93F5_F579_9A93_2462), (15, 0xA129_CA61_49BE_45E5),
        ] as [(Int, UInt64)])
    func `is SipHash-2-4`(count: Int, expected: UInt64) {
        let key = SecretKey(0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908)
        let bytes = (0..<count).map { UInt8($0) }
        for split in 0...count {
            var hash = SipHash(key)
            bytes.withUnsafeBytes { bytes in
                hash.add(UnsafeRawBufferPointer(rebasing: bytes[..<split]))
                hash.add(UnsafeRawBufferPointer(rebasing: bytes[split...]))
            }
            #expect(hash.finish() == expected)
        }
    }

    @Test func `tells fields apart`() {
        func hash(_ purpose: StaticString, _ fields: String...) -> UInt64 {
            var hash = SipHash(SecretKey(1, 2), purpose)
            for field in fields { hash.add(field: field) }
            return hash.finish()
        }
        #expect(Set([hash("p", "ab", "c"), hash("p", "a", "bc"), hash("p", "abc"), hash("q", "ab", "c")]).count == 4)
    }
}
