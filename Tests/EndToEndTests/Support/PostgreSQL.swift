import Foundation
import Subprocess
import SystemPackage
import Testing

/// A PostgreSQL server of the test's own, on a port of its own.
enum PostgreSQL {
    /// Where its programs are; `nil` when it is not installed.
    static let programs: FilePath? = {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return versions.compactMap { version in
            let directory = FilePath("\(root)/\(version)/bin")
            let found = FileManager.default.isExecutableFile(atPath: directory.appending("initdb").string)
            return found ? directory : nil
        }.max { $0.string < $1.string }
    }()

    /// Runs `body` with the URL of an empty database.
    static func withDatabase<R>(in directory: FilePath, _ body: (String) async throws -> R) async throws -> R {
        let programs = try #require(self.programs)
        let data = directory.appending("postgresql")
        try FileManager.default.createDirectory(atPath: data.string, withIntermediateDirectories: true)
        let isRoot = getuid() == 0
        if isRoot {
            // The server refuses to run as root; its own user must reach the directory.
            for path in [directory.string, data.string] { chmod(path, 0o755) }
            let owner = try await command(.name("chown"), ["postgres", data.string])
            try #require(owner.status == 0, "\(owner)")
        }
        func pg(_ program: String, _ arguments: [String]) async throws {
            let words = [programs.appending(program).string] + arguments
            let result =
                isRoot
                ? try await command(.name("runuser"), ["-u", "postgres", "--"] + words, in: data)
                : try await command(.path(programs.appending(program)), arguments, in: data)
            try #require(result.status == 0, "\(program): \(result)")
        }
        let port = try freePort()
        let cluster = data.appending("cluster").string
        try await pg("initdb", ["-D", cluster, "-U", "postgres", "-A", "trust", "-N", "--no-sync"])
        let options = "-c port=\(port) -c listen_addresses=127.0.0.1 -c unix_socket_directories=\(data) -c fsync=off"
        try await pg("pg_ctl", ["-D", cluster, "-w", "-s", "-l", data.appending("log").string, "-o", options, "start"])
        do {
            let result = try await body("postgres://postgres@127.0.0.1:\(port)/postgres")
            try await pg("pg_ctl", ["-D", cluster, "-m", "immediate", "-s", "stop"])
            return result
        } catch {
            try? await pg("pg_ctl", ["-D", cluster, "-m", "immediate", "-s", "stop"])
            throw error
        }
    }

    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        try #require(bound)
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
