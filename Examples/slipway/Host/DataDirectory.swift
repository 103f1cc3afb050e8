import Foundation
import PlatformKit
import SlugStore
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Where the host keeps what; locked while it runs, so that two hosts never share one.
struct DataDirectory {
    let path: FilePath
    private let lock: FileDescriptor

    var database: FilePath { self.path.appending("slipway.db") }
    var repositories: FilePath { self.path.appending("repositories") }
    var slugs: FilePath { self.path.appending("slugs") }
    /// What applications keep, a directory for each.
    var storage: FilePath { self.path.appending("storage") }
    var instances: FilePath { self.path.appending("instances") }
    /// Of an OCI runtime, with `--isolation oci`.
    var containers: FilePath { self.path.appending("containers") }
    /// How instances were kept from the machine the last time.
    var confinement: FilePath { self.path.appending("confinement.json") }
    var logs: FilePath { self.path.appending("logs") }
    /// Emptied by the platform at every start.
    var builds: FilePath { self.path.appending("builds") }
    var uploads: FilePath { self.path.appending("uploads") }
    /// The account with the ACME authority, and the certificates that it issued.
    var acme: FilePath { self.path.appending("acme") }
    var adminTokenPath: FilePath { self.path.appending("admin-token") }

    /// - Parameter waits: whether to wait up to 3 s until another host has let go of it.
    init(path: FilePath, waits: Bool = false) throws {
        self.path = path
        do {
            try FileManager.default.createDirectory(
                atPath: path.string, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            self.lock = try FileDescriptor.open(
                path.appending("lock"), .readWrite, options: [.create], permissions: [.ownerReadWrite])
        } catch {
            throw PlatformError(.internalError, "cannot use the data directory \(path): \(error)")
        }
        var patience = waits ? 100 : 0
        var isLocked = flock(self.lock.rawValue, LOCK_EX | LOCK_NB) == 0
        while !isLocked, patience > 0 {
            usleep(30_000)
            patience -= 1
            isLocked = flock(self.lock.rawValue, LOCK_EX | LOCK_NB) == 0
        }
        guard isLocked else {
            throw PlatformError(
                .conflict, "another slipway uses \(path); stop it, or name another directory with --data")
        }
        _ = fcntl(self.lock.rawValue, F_SETFD, FD_CLOEXEC)
        for directory in [
            self.repositories, self.slugs, self.storage, self.instances, self.logs, self.uploads,
        ] {
            try FileManager.default.createDirectory(atPath: directory.string, withIntermediateDirectories: true)
        }
    }

    /// What ``letApplicationsThrough()`` of a former start has opened, and nobody needs now.
    func closeToApplications() throws {
        try Self.change(self.path) { $0 == Self.openMode ? 0o700 : $0 }
    }

    /// Others may go through, and see nothing of what is there.
    private static let openMode = 0o711

    /// Lets applications with users of their own through to what is theirs, where no sandbox shows them that and nothing else; they
    /// cannot list what is there. From now on, what this process makes is for its own user unless it says otherwise.
    func letApplicationsThrough() throws {
        umask(0o077)
        let shared = [self.slugs, self.storage]
        for name in try FileManager.default.contentsOfDirectory(atPath: self.path.string) {
            let path = self.path.appending(name)
            if !shared.contains(path) { try Self.change(path) { $0 & ~0o077 } }
        }
        for path in shared + [self.path] { try Self.change(path) { _ in Self.openMode } }
    }

    private static func change(_ path: FilePath, mode: (Int) -> Int) throws {
        let attributes = try FileManager.default.attributesOfItem(atPath: path.string)
        guard attributes[.type] as? FileAttributeType != .typeSymbolicLink else { return }
        let present = attributes[.posixPermissions] as? Int ?? 0
        try FileManager.default.setAttributes([.posixPermissions: mode(present)], ofItemAtPath: path.string)
    }

    /// Lets another host have it.
    func unlock() { try? self.lock.close() }

    /// Where a local socket is: here, or, if that is too long for the kernel, in a directory of the owner's under `/tmp`. Not where
    /// `TMPDIR` says: whoever looks for the socket may have another than the host.
    func socketPath(_ name: String) throws -> FilePath { try Self.socketPath(name, in: self.path) }

    static func socketPath(_ name: String, in directory: FilePath) throws -> FilePath {
        let path = directory.appending("\(name).sock")
        // The kernel allows 107 bytes, of which the router needs some.
        if path.string.utf8.count <= 90 { return path }
        func attributes(_ path: FilePath) throws -> [FileAttributeKey: Any] {
            try FileManager.default.attributesOfItem(atPath: path.string)
        }
        let data = try attributes(directory)
        let owner = data[.ownerAccountID] as? Int ?? -1
        let place = FilePath("/tmp/slipway-\(owner)")
        if owner == Int(geteuid()), mkdir(place.string, 0o700) != 0, errno != EEXIST { throw Errno(rawValue: errno) }
        // Everybody can make something of that name, and be asked in place of the host, or tell it what to do.
        let found = try attributes(place)
        guard found[.type] as? FileAttributeType == .typeDirectory, found[.ownerAccountID] as? Int == owner,
            (found[.posixPermissions] as? Int).map({ $0 & 0o077 }) == 0
        else {
            throw PlatformError(
                .refused,
                "\(place) is not a directory of user \(owner)'s alone (0700), which the sockets of \(directory) take, as its path is too long for them; remove it, or use a shorter path for the data"
            )
        }
        let numbers = [FileAttributeKey.systemNumber, .systemFileNumber].map { data[$0] as? Int ?? 0 }
        return place.appending("\(numbers[0])-\(numbers[1])-\(name).sock")
    }

    /// The name of its instances' control groups, which no other host on this machine has: that of the directory, as the
    /// kernel knows it.
    var controlGroup: String {
        get throws {
            let attributes = try FileManager.default.attributesOfItem(atPath: self.path.string)
            let numbers = [FileAttributeKey.systemNumber, .systemFileNumber].map { attributes[$0] as? Int ?? 0 }
            return "slipway-\(numbers[0])-\(numbers[1])"
        }
    }

    /// 32 random bytes that seal the config of all applications. Keep a copy: without it the config is lost.
    func sealingKey() throws -> Data {
        try SecretFile(path: self.path.appending("secret.key")).read { Self.random(32) }
    }

    func signingKey() throws -> Data {
        try SecretFile(path: self.path.appending("signing.key")).read { SlugSigner().privateKey }
    }

    func adminToken() throws -> String {
        let data = try SecretFile(path: self.adminTokenPath).read {
            Data((Self.random(24).map { String(format: "%02x", $0) }.joined() + "\n").utf8)
        }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func random(_ count: Int) -> Data {
        var generator = SystemRandomNumberGenerator()
        return Data((0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }
}
