import Foundation
import Subprocess
public import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The ACME server for tests of the Let's Encrypt project, with a name server that sends every host to this machine.
public struct Pebble: Sendable {
    /// It is not installed.
    public struct Missing: Error {}

    private static let programs: (pebble: FilePath, names: FilePath)? = {
        guard let pebble = ServerProcess.find("pebble"), let names = ServerProcess.find("pebble-challtestsrv") else {
            return nil
        }
        return (pebble, names)
    }()

    /// Whether it is installed.
    public static var isInstalled: Bool { self.programs != nil }

    /// What signs the server's own certificate, as PEM.
    public let authority: String
    /// The same as a file.
    public let authorityFile: FilePath
    /// The URL of its ACME directory.
    public let directory: String
    /// The URL of what signs the certificates that it issues.
    public let root: String

    /// Runs it while `body` runs.
    ///
    /// - Parameters:
    ///   - httpPort: where it connects to for HTTP-01.
    ///   - tlsPort: where it connects to for TLS-ALPN-01.
    ///   - directory: takes its files.
    ///   - rejectedNonces: of a hundred good nonces, so many are said to be bad.
    ///   - accounts: external accounts, by the names of their keys; when there are some, one is demanded.
    ///   - body: is told where it is.
    /// - Throws: ``Missing``, or what `body` throws.
    public static func with<R: Sendable>(
        httpPort: Int, tlsPort: Int, in directory: FilePath, rejectedNonces: Int = 5, accounts: [String: String] = [:],
        _ body: @Sendable @escaping (Pebble) async throws -> R
    ) async throws -> R {
        guard let programs = self.programs else { throw Missing() }
        func file(_ name: String, _ text: String) throws -> FilePath {
            let path = directory.appending(name)
            try text.write(toFile: path.string, atomically: true, encoding: .utf8)
            return path
        }
        let ports = try FreePorts.find(4)
        let authority = try LocalAuthority()
        let own = try authority.issue("localhost")
        let configuration = Configuration(
            listenAddress: "127.0.0.1:\(ports[0])", managementListenAddress: "127.0.0.1:\(ports[1])",
            certificate: try file("pebble.pem", own.certificate).string,
            privateKey: try file("pebble.key", own.key).string, httpPort: httpPort, tlsPort: tlsPort,
            externalAccountBindingRequired: !accounts.isEmpty, externalAccountMACKeys: accounts)
        let settings = directory.appending("pebble.json").string
        try JSONEncoder().encode(["pebble": configuration]).write(to: URL(fileURLWithPath: settings))
        let pebble = Pebble(
            authority: authority.pem, authorityFile: try file("authority.pem", authority.pem),
            directory: "https://localhost:\(ports[0])/dir", root: "https://localhost:\(ports[1])/roots/0")
        let names = [
            "-defaultIPv6", "", "-dns01", "127.0.0.1:\(ports[2])", "-http01", "", "-https01", "", "-tlsalpn01", "",
            "-management", "127.0.0.1:\(ports[3])",
        ]
        return try await ServerProcess.running(programs.names, names) {
            try await ServerProcess.running(
                programs.pebble, ["-config", settings, "-dnsserver", "127.0.0.1:\(ports[2])"],
                environment: ["PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "\(rejectedNonces)"]
            ) { try await body(pebble) }
        }
    }

    private struct Configuration: Encodable {
        var listenAddress: String
        var managementListenAddress: String
        var certificate: String
        var privateKey: String
        var httpPort: Int
        var tlsPort: Int
        var ocspResponderURL = ""
        var externalAccountBindingRequired: Bool
        var externalAccountMACKeys: [String: String]
    }
}
