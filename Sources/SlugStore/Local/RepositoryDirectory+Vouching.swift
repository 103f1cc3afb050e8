import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Which trees were made, or found sound, since the machine was started: those need no second look. The note beside a tree
/// names the start, so one from before the last start says nothing.
extension RepositoryDirectory {
    static func voucher(_ tree: String) -> String { "\(tree).sound" }

    /// The slug that a tree, or the note beside one, belongs to.
    static func slug(ofTree name: [UInt8]) -> SlugID? {
        guard let name = String(validating: name, as: UTF8.self) else { return nil }
        return SlugID(hex: name.hasSuffix(".sound") ? String(name.dropLast(".sound".count)) : name)
    }

    /// Notes that the tree is sound.
    func vouch(forTree name: String) throws(SlugStoreError) {
        guard let start = self.machineStart else { return }
        let what = "Noting that the tree \(name) is sound"
        let note = try self.makeTemporaryFile()
        try start.withBytes { bytes throws(SlugStoreError) in try note.descriptor.write(bytes, at: 0, what) }
        _ = try self.move(note.name, from: self.temporary, to: self.trees, as: Self.voucher(name))
    }

    /// Gives a damaged tree another name. Instances may run from it, so it stays until the machine has been started again.
    func setTreeAside(_ name: String) throws(SlugStoreError) {
        guard let mark = self.asideMark else { return try self.removeTree(name) }
        let number = UInt64.random(in: .min ... .max)
        _ = try self.move(name, from: self.trees, to: self.trees, as: "\(name)\(mark)\(String(number, radix: 16))")
        try TreeRemover.remove(Self.voucher(name).utf8, in: self.trees)
    }

    /// Whether instances may run from a tree that was set aside.
    func isSetAside(_ name: [UInt8]) -> Bool {
        guard let mark = self.asideMark else { return false }
        return String(decoding: name, as: UTF8.self).contains(mark)
    }

    private var asideMark: String? { self.machineStart.map { ".aside-\(ChunkID(of: $0).shortDescription)-" } }

    /// Whether somebody has noted it since the machine was started.
    func isVouched(forTree name: String) -> Bool {
        guard let start = self.machineStart,
            let note = try? self.trees.open(
                Self.voucher(name).utf8, O_RDONLY, "Reading the note beside the tree \(name)")
        else { return false }
        return Self.content(of: note) == start
    }

    /// What is different after each start of the machine; `nil` where the system does not tell.
    static func currentMachineStart() -> [UInt8]? {
        (try? Descriptor.file(at: "/proc/sys/kernel/random/boot_id")).flatMap { self.content(of: $0) }
    }

    private static func content(of file: Descriptor) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = try? bytes.withMutableBytes { buffer throws(SlugStoreError) in
            try file.read(into: buffer, "Reading a note")
        }
        guard let count, count > 0 else { return nil }
        return Array(bytes[..<count])
    }
}
