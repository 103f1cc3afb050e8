import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import PlatformWire
import Subprocess
import Synchronization
import SystemPackage
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(10))) struct HTTPSTests {
        @Test func `certificates are added, listed, used, replaced, kept over a restart and removed`() async throws {
            try await withTemporaryDirectory { directory in
                let data = directory.appending("data")
                let authority = try LocalAuthority()
                let root = try self.file("root.pem", authority.pem, directory)
                try await withTestHost(data: data, arguments: ["--https", "127.0.0.1:0"]) { host in
                    try await host.create("echo")
                    let tree = try await WorkTree(at: directory.appending("echo"), files: SampleSources.echo)
                    try #require(try await host.push("echo", from: tree).status == 0)
                    let refused = try await self.get("echo.localhost", of: host, trusting: root)
                    #expect(refused.status == 35 && refused.error.contains("unrecognized name"), "\(refused)")
                    let tooEarly = try await host.slipway("https", "on", "--app", "echo")
                    #expect(tooEarly.status == 1 && tooEarly.error.contains("certificate"), "\(tooEarly)")

                    let first = try authority.issue("echo.localhost", "www.example.com")
                    let added = try await self.add(first, to: host, in: directory, "--app", "echo")
                    #expect(added.output.hasPrefix("echo.localhost: served"), "\(added)")
                    #expect(try await self.get("echo.localhost", of: host, trusting: root).output == "hello world")
                    let domain = try await host.slipway("domains", "add", "--app", "echo", "www.example.com")
                    #expect(domain.status == 0, "\(domain)")
                    #expect(try await self.get("www.example.com", of: host, trusting: root).output == "hello world")

                    let other = try LocalAuthority("Other Authority")
                    let second = try other.issue("www.example.com")
                    _ = try await self.add(second, to: host, in: directory, "--app", "echo")
                    let listed = try await self.certificates(of: host)
                    #expect(listed.map(\.servedHosts) == [["echo.localhost"], ["www.example.com"]], "\(listed)")
                    let old = try await self.get("www.example.com", of: host, trusting: root)
                    #expect(old.status == 60, "the other authority is not trusted: \(old)")

                    let broken = try await self.add(
                        .init(certificate: first.certificate, key: second.key), to: host, in: directory, "--app",
                        "echo", status: 1)
                    #expect(broken.error.contains("does not belong"), "\(broken)")

                    let on = try await host.slipway("https", "on", "--app", "echo", "--hsts", "60")
                    #expect(on.status == 0, "\(on)")
                    let sent = try await host.get("echo", "/a?b=c")
                    #expect(sent.status == 308, "\(sent)")
                    let port = try #require(host.https?.split(separator: ":").last)
                    #expect(sent.headers["location"] == "https://echo.localhost:\(port)/a?b=c")
                }
                try await withTestHost(data: data, arguments: ["--https", "127.0.0.1:0"]) { host in
                    let headers = try await self.get("echo.localhost", of: host, trusting: root, "-i")
                    #expect(headers.output.lowercased().contains("strict-transport-security: max-age=60"), "\(headers)")
                    #expect(try await host.get("echo").status == 308)
                    let off = try await host.slipway("https", "off", "--app", "echo")
                    #expect(off.status == 0, "\(off)")
                    #expect(try await host.get("echo").status == 200)
                    let removed = try await host.slipway("certs", "remove", "--app", "echo", "echo.localhost")
                    #expect(removed.status == 0, "\(removed)")
                    #expect(try await self.get("echo.localhost", of: host, trusting: root).status == 35)
                    #expect(try await self.certificates(of: host).map(\.hosts) == [["www.example.com"]])

                    // No client takes the wildcard below a single label by itself.
                    let common = try authority.issue("*.localhost", "echo.localhost")
                    let platform = try await self.add(common, to: host, in: directory, "--platform")
                    #expect(platform.output.hasPrefix("*.localhost, echo.localhost: served"), "\(platform)")
                    #expect(try await self.get("echo.localhost", of: host, trusting: root).output == "hello world")
                    let gone = try await host.slipway("certs", "remove", "--platform", "*.localhost")
                    #expect(gone.status == 0, "\(gone)")
                    #expect(try await self.get("echo.localhost", of: host, trusting: root).status == 35)
                }
            }
        }

        @Test func `a restarted host serves nothing in clear text, but to a proxy that had it over TLS`() async throws {
            try await withTemporaryDirectory { directory in
                let data = directory.appending("data")
                let ports = try FreePorts.find(2)
                // The instance is there from the first moment of the next host on.
                let arguments = [
                    "--http", "127.0.0.1:\(ports[0])", "--https", "127.0.0.1:\(ports[1])", "--trusted-proxies",
                    "127.0.0.1",
                ]
                let first = try await withTestHost(data: data, arguments: arguments + ["--leave-running"]) { host in
                    try await host.create("echo")
                    let tree = try await WorkTree(at: directory.appending("echo"), files: SampleSources.echo)
                    try #require(try await host.push("echo", from: tree).status == 0)
                    let certificate = try LocalAuthority().issue("echo.localhost")
                    _ = try await self.add(certificate, to: host, in: directory, "--app", "echo")
                    let on = try await host.slipway("https", "on", "--app", "echo")
                    try #require(on.status == 0, "\(on)")
                    return host
                }
                let isReady = Flag()
                async let early = self.statuses(of: first, until: isReady)
                try await withTestHost(data: data, arguments: arguments) { host in
                    isReady.set()
                    #expect(try await host.get("echo").status == 308)
                    let secure = try await host.request(
                        "echo", "/", method: .get, headers: ["x-forwarded-proto": "https"])
                    #expect(secure.status == 200 && secure.text == "hello world", "\(secure)")
                }
                let statuses = await early
                #expect(statuses.isSubset(of: [308]), "\(statuses)")
            }
        }

        @Test(
            .enabled(if: Pebble.isInstalled, "pebble is not installed (apt install pebble)"), arguments: [true, false])
        func `certificates are ordered for the domains of an application that wants it`(reachesHTTP: Bool) async throws
        {
            try await withTemporaryDirectory { directory in
                let ports = try FreePorts.find(3)
                // Nothing listens at the third: the authority gets its answer at the port of TLS.
                try await Pebble.with(httpPort: ports[reachesHTTP ? 0 : 2], tlsPort: ports[1], in: directory) {
                    pebble in
                    let arguments = [
                        "--http", "127.0.0.1:\(ports[0])", "--https", "127.0.0.1:\(ports[1])", "--acme-directory",
                        pebble.directory, "--acme-ca", pebble.authorityFile.string, "--acme-email", "admin@example.com",
                    ]
                    let root = try await pebble.issuer(in: directory)
                    let data = directory.appending("data")
                    try await withTestHost(data: data, arguments: arguments) { host in
                        try await host.create("echo")
                        let tree = try await WorkTree(at: directory.appending("echo"), files: SampleSources.echo)
                        try #require(try await host.push("echo", from: tree).status == 0)
                        let early = try await host.slipway("certs", "auto", "--app", "echo")
                        #expect(early.status == 0 && early.output.contains("domains add"), "\(early)")
                        let domain = try await host.slipway("domains", "add", "--app", "echo", "www.example.com")
                        #expect(domain.status == 0, "\(domain)")
                        while try await self.certificates(of: host).map(\.state) != ["valid"] {}
                        let listed = try await self.certificates(of: host)
                        #expect(listed.map(\.source) == ["acme"] && listed.map(\.application) == ["echo"], "\(listed)")
                        #expect(try await self.get("www.example.com", of: host, trusting: root).output == "hello world")
                        let logs = try await host.slipway("logs", "--app", "echo", "--source", "platform")
                        #expect(logs.output.contains("Certificate for www.example.com was issued"), "\(logs)")
                    }
                    // The next host has it from the disk from its first moment on, and orders none.
                    try await withTestHost(data: data, arguments: arguments) { host in
                        #expect(try await self.certificates(of: host).map(\.state) == ["valid"])
                        #expect(try await self.get("www.example.com", of: host, trusting: root).output == "hello world")
                        let off = try await host.slipway("certs", "auto", "off", "--app", "echo")
                        #expect(off.status == 0, "\(off)")
                        #expect(try await self.certificates(of: host).isEmpty)
                        #expect(try await self.get("www.example.com", of: host, trusting: root).status == 35)
                    }
                }
            }
        }

        // MARK: Parts

        private final class Flag: Sendable {
            private let value = Mutex(false)
            var isSet: Bool { self.value.withLock { $0 } }
            func set() { self.value.withLock { $0 = true } }
        }

        /// What visitors get from the moment in which the host listens.
        private func statuses(of host: TestHost, until isReady: Flag) async -> Set<Int> {
            var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
            // At once again when it is refused: what is looked for lasts for milliseconds.
            configuration.connectionPool.retryConnectionEstablishment = false
            let visitor = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
            var request = HTTPClientRequest(url: "http://\(host.http)/")
            request.headers.add(name: "host", value: "echo.localhost")
            var statuses: Set<Int> = []
            while !isReady.isSet, !Task.isCancelled {
                guard let answer = try? await visitor.execute(request, timeout: .seconds(10)) else { continue }
                statuses.insert(Int(answer.status.code))
                _ = try? await answer.body.collect(upTo: 1 << 20)
            }
            try? await visitor.shutdown()
            return statuses
        }

        private func file(_ name: String, _ text: String, _ directory: FilePath) throws -> FilePath {
            let path = directory.appending(name)
            try text.write(toFile: path.string, atomically: true, encoding: .utf8)
            return path
        }

        private func add(
            _ issued: LocalAuthority.Issued, to host: TestHost, in directory: FilePath, _ arguments: String...,
            status: Int32 = 0
        ) async throws -> CommandResult {
            let certificate = try self.file("cert.pem", issued.certificate, directory)
            let key = try self.file("key.pem", issued.key, directory)
            let result = try await host.slipway(
                ["certs", "add", "--cert", certificate.string, "--key", key.string] + arguments)
            try #require(result.status == status, "\(result)")
            return result
        }

        private func certificates(of host: TestHost) async throws -> [CertificateInfo] {
            try await host.list("certs", "list", "--app", "echo")
        }

        private func get(
            _ name: String, of host: TestHost, trusting root: FilePath, _ arguments: String...
        ) async throws -> CommandResult {
            let port = try #require(host.https?.split(separator: ":").last)
            return try await command(
                .name("curl"),
                ["-sS", "--cacert", root.string, "--resolve", "\(name):\(port):127.0.0.1"] + arguments + [
                    "https://\(name):\(port)/"
                ])
        }
    }
}
