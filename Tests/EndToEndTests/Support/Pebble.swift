import Foundation
import Subprocess
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The ACME server for tests of the Let's Encrypt project, with a name server that sends every host to this machine.
struct Pebble: Sendable {
    /// Whether it is installed.
    static let isInstalled = ["pebble", "pebble-challtestsrv"].allSatisfy { program in
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/\(program)")
        }
    }

    /// Its directory.
    let url: String
    /// A file with what signs the server's own certificate.
    let authority: FilePath
    private let managementPort: Int

    /// What signs the certificates that it issues, as a file.
    func root(in directory: FilePath) async throws -> FilePath {
        let file = directory.appending("issuer.pem")
        let result = try await command(
            .name("curl"),
            [
                "-sS", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "--cacert", self.authority.string,
                "-o", file.string,
                "https://localhost:\(self.managementPort)/roots/0",
            ])
        try #require(result.status == 0, "\(result)")
        return file
    }

    /// Runs it while `body` runs. It connects to hosts at these ports.
    static func with<R: Sendable>(
        httpPort: Int, tlsPort: Int, in directory: FilePath, _ body: @Sendable @escaping (Pebble) async throws -> R
    ) async throws -> R {
        let ports = try FreePorts.find(4)
        let authority = try LocalAuthority()
        let own = try authority.issue("localhost")
        func file(_ name: String, _ text: String) throws -> FilePath {
            let path = directory.appending(name)
            try text.write(toFile: path.string, atomically: true, encoding: .utf8)
            return path
        }
        let configuration = """
            {"pebble": {
              "listenAddress": "127.0.0.1:\(ports[0])", "managementListenAddress": "127.0.0.1:\(ports[1])",
              "certificate": "\(try file("pebble.pem", own.certificate))",
              "privateKey": "\(try file("pebble.key", own.key))",
              "httpPort": \(httpPort), "tlsPort": \(tlsPort), "ocspResponderURL": ""
            }}
            """
        let settings = try file("pebble.json", configuration)
        let pebble = Pebble(
            url: "https://localhost:\(ports[0])/dir", authority: try file("authority.pem", authority.pem),
            managementPort: ports[1])
        let names = [
            "-defaultIPv6", "", "-dns01", "127.0.0.1:\(ports[2])", "-http01", "", "-https01", "", "-tlsalpn01", "",
            "-management", "127.0.0.1:\(ports[3])",
        ]
        return try await self.running("pebble-challtestsrv", names) {
            try await self.running(
                "pebble", ["-config", settings.string, "-dnsserver", "127.0.0.1:\(ports[2])"],
                environment: ["PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "5"]
            ) { try await body(pebble) }
        }
    }

    /// Runs a program from its first line of output until `body` is done.
    private static func running<R: Sendable>(
        _ program: String, _ arguments: [String], environment: [Subprocess.Environment.Key: String] = [:],
        _ body: @Sendable @escaping () async throws -> R
    ) async throws -> R {
        try await run(
            .name(program), arguments: Arguments(arguments), environment: .custom(environment), input: .none,
            output: .sequence, error: .combinedWithOutput
        ) { execution in
            let pid = execution.processIdentifier.value
            let lines = execution.standardOutput.strings()
            let (started, begun) = AsyncStream.makeStream(of: Void.self)
            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { begun.finish() }
                    // Read to the end, or it stops when the pipe is full.
                    for try await _ in lines { begun.finish() }
                }
                for await _ in started {}
                defer { kill(pid, SIGTERM) }
                return try await body()
            }
        }.closureResult
    }
}

/// Ports that were free a moment ago.
enum FreePorts {
    /// Held together, so that they differ.
    static func find(_ count: Int) throws -> [Int] {
        var sockets: [Int32] = []
        defer { for descriptor in sockets { close(descriptor) } }
        return try (0..<count).map { _ in
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            sockets.append(descriptor)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isBound = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
                }
            }
            try #require(isBound)
            return Int(UInt16(bigEndian: address.sin_port))
        }
    }
}
