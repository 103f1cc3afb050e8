/// The twelve bytes a pack begins with, judged before libgit2 sizes allocations from them.
enum PackHeader {
    static let size = 12
    /// A pack of no objects: the header and its checksum. Clients send it when only references change.
    static let emptyPackSize = 32

    /// The number of objects.
    static func objectCount(_ header: some Collection<UInt8>) throws(GitReceiverError) -> Int {
        let bytes = Array(header)
        guard bytes.count == Self.size, bytes.starts(with: "PACK".utf8) else {
            throw GitReceiverError(.corrupt, "what was sent is not a pack")
        }
        func number(at index: Int) -> Int { bytes[index..<index + 4].reduce(0) { $0 << 8 | Int($1) } }
        guard (2...3).contains(number(at: 4)) else {
            throw GitReceiverError(
                .unsupported, "the pack has the version \(number(at: 4)); this server reads version 2")
        }
        return number(at: 8)
    }
}
