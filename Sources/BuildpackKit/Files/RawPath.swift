import SystemPackage

/// A path as bytes, for walks over many files: names need not be UTF-8, and nothing is checked or normalised.
struct RawPath: Hashable, Sendable {
    private(set) var bytes: [UInt8]

    init(_ path: FilePath) {
        self.bytes = path.withPlatformString { Array(UnsafeBufferPointer(start: $0, count: path.length)) }
            .map { UInt8(bitPattern: $0) }
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// The empty path, which a relative path begins as.
    static let empty = RawPath(bytes: [])

    var filePath: FilePath { self.withCString { FilePath(platformString: $0) } }
    var text: String { String(decoding: self.bytes, as: UTF8.self) }

    func appending(_ name: some Collection<UInt8>) -> RawPath {
        var bytes = self.bytes
        bytes.reserveCapacity(bytes.count + name.count + 1)
        if !bytes.isEmpty, bytes.last != UInt8(ascii: "/") { bytes.append(UInt8(ascii: "/")) }
        bytes += name
        return RawPath(bytes: bytes)
    }

    func withCString<R>(_ body: (UnsafePointer<CChar>) throws -> R) rethrows -> R {
        try (self.bytes + [0]).withUnsafeBytes { buffer in
            try buffer.withMemoryRebound(to: CChar.self) { try body($0.baseAddress!) }
        }
    }
}
