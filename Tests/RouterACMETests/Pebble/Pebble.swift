import Crypto
import Foundation
import RouterACME
import Subprocess
import SwiftASN1
import SystemPackage
import Testing
import X509

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The ACME server for tests of the Let's Encrypt project, with a name server that sends every host to this machine.
struct Pebble: Sendable {
    /// Where it is installed; nil when it is not.
    static let programs: (pebble: FilePath, names: FilePath)? = {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        func find(_ name: String) -> FilePath? {
            path.split(separator: ":").map { "\($0)/\(name)" }.first(where: FileManager.default.isExecutableFile)
                .map { FilePath($0) }
        }
        guard let pebble = find("pebble"), let names = find("pebble-challtestsrv") else { return nil }
        return (pebble, names)
    }()

    /// What signs the server's own certificate, as PEM.
    let authority: [UInt8]
    let port: Int
    let managementPort: Int

    var directory: String { "https://localhost:\(self.port)/dir" }

    /// A way to it.
    func transport() throws -> HTTPACMETransport {
        var configuration = HTTPACMETransport.Configuration()
        configuration.trustRoots = self.authority
        return try HTTPACMETransport(configuration: configuration)
    }

    /// What signs the certificates that it issues, as PEM.
    func root() async throws -> [UInt8] {
        let transport = try self.transport()
        let response = try await transport.send(ACMERequest(.get, "https://localhost:\(self.managementPort)/roots/0"))
        await transport.shutDown()
        return response.body
    }

    /// Runs it while `body` runs.
    ///
    /// - Parameters:
    ///   - httpPort: where it connects to for HTTP-01.
    ///   - tlsPort: where it connects to for TLS-ALPN-01.
    ///   - rejectedNonces: of a hundred good nonces, so many are said to be bad.
    ///   - accounts: external accounts, by the names of their keys; when there are some, one is demanded.
    static func with<R: Sendable>(
        httpPort: Int, tlsPort: Int, in directory: FilePath, rejectedNonces: Int = 5, accounts: [String: String] = [:],
        _ body: @Sendable @escaping (Pebble) async throws -> R
    ) async throws -> R {
        let programs = try #require(self.programs)
        let ports = try self.freePorts(4)
        let (authority, chain, key) = try self.certificate()
        try chain.write(toFile: directory.appending("pebble.pem").string, atomically: true, encoding: .utf8)
        try key.write(toFile: directory.appending("pebble.key").string, atomically: true, encoding: .utf8)
        let configuration = Configuration(
            listenAddress: "127.0.0.1:\(ports[0])", managementListenAddress: "127.0.0.1:\(ports[1])",
            certificate: directory.appending("pebble.pem").string, privateKey: directory.appending("pebble.key").string,
            httpPort: httpPort, tlsPort: tlsPort, externalAccountBindingRequired: !accounts.isEmpty,
            externalAccountMACKeys: accounts)
        let file = directory.appending("pebble.json").string
        try JSONEncoder().encode(["pebble": configuration]).write(to: URL(fileURLWithPath: file))
        let pebble = Pebble(authority: Array(authority.utf8), port: ports[0], managementPort: ports[1])
        let names = [
            "-defaultIPv6", "", "-dns01", "127.0.0.1:\(ports[2])", "-http01", "", "-https01", "", "-tlsalpn01", "",
            "-management", "127.0.0.1:\(ports[3])",
        ]
        return try await self.running(programs.names, names) {
            try await self.running(
                programs.pebble, ["-config", file, "-dnsserver", "127.0.0.1:\(ports[2])"],
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

    /// Runs a program from its first line of output until `body` is done.
    private static func running<R: Sendable>(
        _ program: FilePath, _ arguments: [String], environment: [String: String] = [:],
        _ body: @Sendable @escaping () async throws -> R
    ) async throws -> R {
        var variables: [Environment.Key: String] = [:]
        for (name, value) in environment { variables[Environment.Key(stringLiteral: name)] = value }
        return try await run(
            .path(program), arguments: Arguments(arguments), environment: .custom(variables), input: .none,
            output: .sequence, error: .combinedWithOutput
        ) { execution in
            let pid = execution.processIdentifier.value
            return try await withThrowingTaskGroup(of: [String].self) { group in
                let (started, begun) = AsyncStream.makeStream(of: Void.self)
                let lines = execution.standardOutput.strings()
                group.addTask {
                    var said: [String] = []
                    for try await line in lines {
                        said.append(line)
                        begun.finish()
                    }
                    begun.finish()
                    return said
                }
                for await _ in started {}
                do {
                    let result = try await body()
                    kill(pid, SIGTERM)
                    _ = try await group.next()
                    return result
                } catch {
                    kill(pid, SIGTERM)
                    print("--- \(program) said\n\((try await group.next() ?? []).suffix(100).joined(separator: "\n"))")
                    throw error
                }
            }
        }.closureResult
    }

    /// A certificate for `localhost`, with its key and its authority.
    private static func certificate() throws -> (authority: String, chain: String, key: String) {
        let (rootKey, key) = (P256.Signing.PrivateKey(), P256.Signing.PrivateKey())
        let name = try DistinguishedName { CommonName("Test Authority") }
        func make(
            _ subject: DistinguishedName, _ key: P256.Signing.PrivateKey, _ extensions: Certificate.Extensions
        ) throws -> String {
            let certificate = try Certificate(
                version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey),
                notValidBefore: .now.addingTimeInterval(-3_600), notValidAfter: .now.addingTimeInterval(86_400),
                issuer: name, subject: subject, signatureAlgorithm: .ecdsaWithSHA256, extensions: extensions,
                issuerPrivateKey: .init(rootKey))
            return try certificate.serializeAsPEM().pemString + "\n"
        }
        let root = try make(
            name, rootKey,
            try Certificate.Extensions { Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil)) })
        let chain = try make(
            try DistinguishedName { CommonName("localhost") }, key,
            try Certificate.Extensions { SubjectAlternativeNames([.dnsName("localhost")]) })
        return (root, chain, key.pemRepresentation)
    }

    /// Ports that were free a moment ago. Held together, so that they differ.
    private static func freePorts(_ count: Int) throws -> [Int] {
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
