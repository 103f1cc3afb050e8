import Testing

@testable import RouterCore

@Suite("Bytes, eight at a time")
struct ByteClassTests {
    /// Every byte at every place among others, and behind a word.
    private func forEachPlacement(among filler: UInt8, _ body: (UInt8, Int, [UInt8]) -> Void) {
        for byte in UInt8.min...UInt8.max {
            for place in 0..<19 {
                var bytes = [UInt8](repeating: filler, count: 19)
                bytes[place] = byte
                body(byte, place, bytes)
            }
        }
    }

    @Test("a token ends where the first byte is that it may not hold", arguments: [0x61, 0x2D, 0x39, 0x5A] as [UInt8])
    func tokens(filler: UInt8) {
        self.forEachPlacement(among: filler) { byte, place, bytes in
            let end = bytes.withUnsafeBytes { $0.endOfToken(from: 0) }
            #expect(end == (ByteClass.isToken(byte) ? bytes.count : place), "\(byte) at \(place)")
        }
    }

    @Test(
        "a field's value ends where the first byte is that it may not hold",
        arguments: [0x61, 0x20, 0x09, 0xFF] as [UInt8])
    func values(filler: UInt8) {
        self.forEachPlacement(among: filler) { byte, place, bytes in
            let end = bytes.withUnsafeBytes { $0.endOfFieldValue(from: 0) }
            #expect(end == (ByteClass.isFieldValue(byte) ? bytes.count : place), "\(byte) at \(place)")
        }
    }

    @Test("the first of two bytes decides where a token and a value end")
    func firstOfTwo() {
        for (first, second) in [(0x80, 0x2D), (0xAC, 0x3A), (0x7F, 0x00), (0x3A, 0xFF), (0x00, 0x7F)]
            as [(UInt8, UInt8)]
        {
            for place in 0..<18 {
                var bytes = [UInt8](repeating: 0x61, count: 19)
                bytes[place] = first
                bytes[place + 1] = second
                let token = bytes.withUnsafeBytes { $0.endOfToken(from: 0) }
                #expect(token == place)
                let value = bytes.withUnsafeBytes { $0.endOfFieldValue(from: 0) }
                #expect(value == bytes.firstIndex { !ByteClass.isFieldValue($0) } ?? bytes.count)
            }
        }
    }

    @Test("a word is spelt in any case and by nothing else")
    func spelling() {
        let word: StaticString = "x-forwarded-proto"
        let text = Array("X-Forwarded-PROTO".utf8)
        #expect(text.withUnsafeBytes { $0.spells(word) })
        for place in text.indices {
            for byte in UInt8.min...UInt8.max {
                var other = text
                other[place] = byte
                let same = ByteClass.lowercased(byte) == ByteClass.lowercased(text[place])
                #expect(other.withUnsafeBytes { $0.spells(word) } == same, "\(byte) at \(place)")
            }
        }
    }
}
