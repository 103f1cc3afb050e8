internal import Hummingbird
internal import NIOCore
internal import NIOPosix
internal import PlatformKit
internal import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Receives uploads into files, no faster than the disk takes them.
struct UploadReceiver {
    let directory: FilePath
    let limit: Int
    let threadPool: NIOThreadPool

    private static let prefix = "upload-"

    /// Removes what a host that was killed has left behind.
    func prepare() throws(PlatformError) {
        do {
            let files = FileManager.default
            try files.createDirectory(atPath: self.directory.string, withIntermediateDirectories: true)
            for name in try files.contentsOfDirectory(atPath: self.directory.string) where name.hasPrefix(Self.prefix) {
                try files.removeItem(atPath: self.directory.appending(name).string)
            }
        } catch {
            throw PlatformError(
                .internalError, "The directory for uploads, \(self.directory), cannot be used.", cause: error)
        }
    }

    /// Writes a body into a new file, which the caller removes.
    func receive(_ request: Request, extension suffix: String) async throws -> FilePath {
        if let field = request.headers[.contentLength], let length = Int(field), length > self.limit {
            throw self.tooLarge
        }
        let path = self.directory.appending("\(Self.prefix)\(UUID().uuidString).\(suffix)")
        let file = try await self.threadPool.runIfActive {
            try FileDescriptor.open(
                path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: [.ownerReadWrite])
        }
        do {
            var count = 0
            for try await buffer in request.body {
                count += buffer.readableBytes
                guard count <= self.limit else { throw self.tooLarge }
                try await self.threadPool.runIfActive { _ = try file.writeAll(buffer.readableBytesView) }
            }
            if let field = request.headers[.contentLength], Int(field) != count { throw Self.truncated }
            guard count > 0 else { throw PlatformError(.invalid, "The body is empty; send an archive.") }
            try await self.threadPool.runIfActive { try file.close() }
            return path
        } catch {
            try? file.close()
            self.remove(path)
            if error is Errno {
                throw PlatformError(.internalError, "The upload could not be written to disk: \(error).", cause: error)
            }
            throw error
        }
    }

    func remove(_ path: FilePath) {
        try? FileManager.default.removeItem(atPath: path.string)
    }

    private var tooLarge: PlatformError {
        PlatformError(.limit, "The archive is larger than this host accepts (\(self.limit) bytes).")
    }

    private static let truncated = PlatformError(.invalid, "The archive ended before its Content-Length.")
}
