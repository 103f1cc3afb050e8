import Testing

@testable import RouterCore

@Suite struct `An index of keys` {
    private func keys(_ count: Int) -> [String] {
        // All lengths around the size of a word, and keys that differ in one place only.
        (0..<count).map { String(repeating: "x", count: $0 % 20) + "\($0)" + String(repeating: "y", count: $0 % 7) }
    }

    @Test(arguments: 0..<4) func `does what a dictionary does, and copies stay as they were`(seed: Int) {
        var random = LoopRandom(seed: UInt64(seed))
        let keys = self.keys(300)
        var index = KeyIndex<Int>(.exact, seed: random.next())
        var model: [String: Int] = [:]
        var copies: [(index: KeyIndex<Int>, model: [String: Int])] = []
        for step in 0..<4000 {
            let key = random.pick(keys)
            let value = random.below(3) == 0 ? nil : step
            index.set(key, value)
            model[key] = value
            if step % 1000 == 0 { copies.append((index, model)) }
        }
        copies.append((index, model))
        for (index, model) in copies {
            #expect(index.count == model.count)
            #expect(index.values.sorted() == model.values.sorted())
            for key in keys where index.find(key) != model[key] { Issue.record("\(key)") }
        }
    }

    @Test func `folds the case of ASCII letters and of nothing else`() {
        for first in UInt8.min...UInt8.max {
            let other = first ^ 0x20
            let isLetter = (first | 0x20) >= 0x61 && (first | 0x20) <= 0x7A && first < 0x80
            for length in [1, 3, 8, 9, 17] {
                let one = [UInt8](repeating: first, count: length)
                let two = [UInt8](repeating: other, count: length)
                let isSame = one.withUnsafeBytes { one in
                    two.withUnsafeBytes { two in KeyLeaf(one, 0, .ignoringCase).holds(two, .ignoringCase) }
                }
                #expect(isSame == isLetter, "\(first)")
            }
        }
    }

    @Test func `tells keys of the same hash apart, as a longer one that starts like it`() {
        var index = KeyIndex<Int>(.ignoringCase)
        index.set("a.example", 1)
        #expect(index.find("A.EXAMPLE") == 1)
        #expect(index.find("a.example\0") == nil)
        #expect(index.find("a.exampl") == nil)
        #expect(index.find("") == nil)
        index.set("", 2)
        #expect(index.find("") == 2)
    }
}
