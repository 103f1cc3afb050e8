/// Random numbers that are the same for the same seed (SplitMix64).
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Starts a sequence.
    public init(seed: UInt64) { self.state = seed }

    /// The next number.
    public mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var word = self.state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }

    /// Bytes that do not compress.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count {
            withUnsafeBytes(of: self.next()) { bytes.append(contentsOf: $0) }
        }
        return Array(bytes.prefix(count))
    }
}

extension TestTree {
    /// A tree of up to `entries` files, directories and links, the same for the same seed: odd names, empty files and
    /// directories, copies, files of several chunks, links that dangle or leave the tree.
    public static func random(seed: UInt64, entries count: Int = 40) -> TestTree {
        var random = SeededGenerator(seed: seed)
        let names = ["a", "b", "a-b", "a.b", "A", "lib", "ünïcode", "with space", "-rf", "new\nline", "~", "zz", "0"]
        var entries: [String: Entry] = [:]
        var directories = [""]
        var contents: [[UInt8]] = [[]]
        for number in 0..<Int.random(in: 0...count, using: &random) {
            let parent = directories[Int.random(in: 0..<directories.count, using: &random)]
            let name = names[Int.random(in: 0..<names.count, using: &random)] + (number % 3 == 0 ? "" : "\(number)")
            let path = parent.isEmpty ? name : parent + "/" + name
            guard entries[path] == nil else { continue }
            switch Int.random(in: 0..<10, using: &random) {
            case 0, 1:
                entries[path] = .directory
                directories.append(path)
            case 2:
                let targets = ["a", "../..", "/etc/passwd", ".", "missing/file", "lib/../b"]
                entries[path] = .link(targets[Int.random(in: 0..<targets.count, using: &random)])
            case 3:
                let size = Int.random(in: 0...400_000, using: &random)
                contents.append(random.bytes(size))
                entries[path] = .file(contents[contents.count - 1], executable: false)
            case 4:
                let copy = contents[Int.random(in: 0..<contents.count, using: &random)]
                entries[path] = .file(copy, executable: Bool.random(using: &random))
            default:
                let size = Int.random(in: 0...3000, using: &random)
                entries[path] = .file(random.bytes(size), executable: Bool.random(using: &random))
            }
        }
        return TestTree(entries)
    }
}
