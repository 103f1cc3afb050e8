import Crypto
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Files that object stores send, read on threads of their own.
package struct LocalFile: Sendable {
    package let path: FilePath

    package init(_ path: FilePath) { self.path = path }

    package var bytes: Int64 {
        get async throws(SlugStoreError) {
            try await BlockingWork.run { _ throws(SlugStoreError) in
                Int64(
                    try Descriptor.regularFile(at: self.path, followsLinks: true).status("Looking at \(self.path)")
                        .st_size)
            }
        }
    }

    /// The bytes of a range that is within the file.
    package func read(_ range: Range<Int64>) async throws(SlugStoreError) -> [UInt8] {
        try await BlockingWork.run { _ throws(SlugStoreError) in
            let file = try Descriptor.regularFile(at: self.path, followsLinks: true)
            var bytes = [UInt8](repeating: 0, count: range.count)
            let count = try bytes.withMutableBytes { buffer throws(SlugStoreError) in
                try file.read(at: UInt64(range.lowerBound), into: buffer, "Reading \(self.path)")
            }
            guard count == range.count else {
                throw SlugStoreError(
                    code: .changedWhileReading, message: "The file \(self.path) got shorter while it was sent.")
            }
            return bytes
        }
    }

    /// The SHA-256 of the file in hexadecimal.
    package func digest() async throws(SlugStoreError) -> String {
        try await BlockingWork.run { cancellation throws(SlugStoreError) in
            try Descriptor.regularFile(at: self.path, followsLinks: true).digest("Reading \(self.path)", cancellation)
        }
    }
}

extension Descriptor {
    /// The SHA-256 of what is left to read, in hexadecimal.
    func digest(
        _ what: @autoclosure () -> String, _ cancellation: Cancellation
    ) throws(SlugStoreError) -> String {
        var hash = SHA256()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            try cancellation.check()
            let count = try buffer.withMutableBytes { buffer throws(SlugStoreError) in
                try self.read(into: buffer, what())
            }
            if count == 0 { return hexadecimal(hash.finalize()) }
            buffer[..<count].withUnsafeBytes { hash.update(bufferPointer: $0) }
        }
    }
}
