public import SystemPackage

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A small file that its owner alone may read: the sealing key, the administrator's token.
public struct SecretFile: Sendable {
    /// Where it is.
    public var path: FilePath

    /// Makes a reference; nothing is read yet.
    public init(path: FilePath) { self.path = path }

    /// Reads the file; makes it with `create`'s bytes when it does not exist. It is never seen half-written.
    ///
    /// - Throws: ``PlatformError`` when the file cannot be read or written, or others may read it.
    public func read(orCreate create: () -> Data) throws(PlatformError) -> Data {
        do {
            return try self.read()
        } catch Errno.noSuchFileOrDirectory {
            let data = create()
            do {
                try self.write(data)
                return data
            } catch {
                throw PlatformError(.internalError, "cannot write \(self.path): \(error)", cause: error)
            }
        } catch let error as PlatformError {
            throw error
        } catch {
            throw PlatformError(.internalError, "cannot read \(self.path): \(error)", cause: error)
        }
    }

    private func read() throws -> Data {
        let descriptor = try FileDescriptor.open(self.path, .readOnly)
        defer { try? descriptor.close() }
        let attributes = try FileManager.default.attributesOfItem(atPath: self.path.string)
        if let mode = attributes[.posixPermissions] as? Int, mode & 0o077 != 0 {
            throw PlatformError(
                .invalid, "\(self.path) can be read by others; run: chmod 600 \(self.path)")
        }
        var data = Data(count: 65_536)
        let count = try data.withUnsafeMutableBytes { try descriptor.read(into: $0) }
        return data.prefix(count)
    }

    private func write(_ data: Data) throws {
        let temporary = FilePath(self.path.string + ".new")
        let descriptor = try FileDescriptor.open(
            temporary, .writeOnly, options: [.create, .truncate], permissions: [.ownerRead, .ownerWrite])
        _ = try descriptor.closeAfter { try descriptor.writeAll(data) }
        try FileManager.default.moveItem(atPath: temporary.string, toPath: self.path.string)
    }
}
