import Foundation
import Testing

@testable import PlatformKit

@Suite struct ConfigSealerTests {
    private let key = Data(repeating: 7, count: 32)

    @Test func `opens what it sealed`() throws {
        let sealer = try ConfigSealer(key: self.key)
        let config = ["DATABASE_URL": "postgres://u:p@h/d", "EMPTY": "", "ÜMLAUT": "ß\n\"'"]
        #expect(try sealer.open(sealer.seal(config, for: "a"), for: "a") == config)
    }

    @Test func `nothing sealed is no config`() throws {
        #expect(try ConfigSealer(key: self.key).open(Data(), for: "a").isEmpty)
    }

    @Test func `no value can be read from what is stored`() throws {
        let sealed = try ConfigSealer(key: self.key).seal(["SECRET": "swordfish"], for: "a")
        #expect(sealed.range(of: Data("swordfish".utf8)) == nil)
        #expect(sealed.range(of: Data("SECRET".utf8)) == nil)
    }

    @Test func `the same config is sealed differently each time`() throws {
        let sealer = try ConfigSealer(key: self.key)
        #expect(try sealer.seal(["A": "1"], for: "a") != sealer.seal(["A": "1"], for: "a"))
    }

    @Test func `refuses another application's config, another key and every changed bit`() throws {
        let sealer = try ConfigSealer(key: self.key)
        let sealed = try sealer.seal(["A": "1"], for: "a")
        #expect(throws: PlatformError.self) { try sealer.open(sealed, for: "b") }
        #expect(throws: PlatformError.self) {
            try ConfigSealer(key: Data(repeating: 8, count: 32)).open(sealed, for: "a")
        }
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(throws: PlatformError.self) { try sealer.open(changed, for: "a") }
        }
    }

    @Test(arguments: [0, 16, 31, 33]) func `refuses a key of another length`(count: Int) {
        #expect(throws: PlatformError.self) { try ConfigSealer(key: Data(repeating: 1, count: count)) }
    }
}
