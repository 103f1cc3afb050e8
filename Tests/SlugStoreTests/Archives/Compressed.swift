import SystemPackage

@testable import SlugStore

/// How an archive of a test is compressed.
enum Compressed: CaseIterable, Sendable {
    case plain, gzip, zstd

    var compression: TreeArchiver.Compression {
        switch self {
        case .plain: .none
        case .gzip: .gzip()
        case .zstd: .zstd()
        }
    }

    func pack(_ bytes: some Collection<UInt8>) throws -> [UInt8] {
        let compressor = try self.compression.compressor()
        var (input, packed) = (Array(bytes), [UInt8]())
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let step = try input.withUnsafeBytes { input in
                try buffer.withUnsafeMutableBytes { try compressor.compress(input, into: $0, isLast: true) }
            }
            packed += buffer[..<step.produced]
            input.removeFirst(step.consumed)
            if step.isFlushed { return packed }
        }
    }
}
