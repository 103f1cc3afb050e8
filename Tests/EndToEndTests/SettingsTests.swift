import ArgumentParser
import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import slipway

@Suite struct SettingsTests {
    private func settings(_ arguments: [String], _ environment: [String: String] = [:]) throws -> ServeSettings {
        try ServeSettings(options: try ServeOptions.parse(arguments), environment: environment)
    }

    @Test func `of HTTPS and the access log come from the command line, the environment and the file`() async throws {
        let defaults = try self.settings([])
        #expect(defaults.https == nil && defaults.accessLog == nil && defaults.startHold == .seconds(30))
        #expect(defaults.trustedProxies.isEmpty)
        #expect(defaults.acme.directory == "https://acme-v02.api.letsencrypt.org/directory")
        try await withTemporaryDirectory { directory in
            let file = directory.appending("slipway.toml").string
            let text = """
                https = "0.0.0.0:1"
                acme-email = "a@example.com"
                acme-directory = "https://file.example/dir"
                access-log = "-"
                access-log-share = 0.25
                start-hold = 5
                trusted-proxies = "10.0.0.0/8"
                """
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            let read = try self.settings(["--config", file])
            #expect(read.https?.port == 1 && read.acme.email == "a@example.com" && read.accessLog == "-")
            #expect(read.accessLogShare == 0.25 && read.startHold == .seconds(5))
            #expect(read.trustedProxies.map { "\($0)" } == ["10.0.0.0/8"])
            let environment = ["SLIPWAY_HTTPS": "[::]:2", "SLIPWAY_ACCESS_LOG_SHARE": "0.5", "SLIPWAY_START_HOLD": "0"]
            let proxies = ["SLIPWAY_TRUSTED_PROXIES": "::1"]
            let set = try self.settings(["--config", file], proxies).trustedProxies
            #expect(set.map { "\($0)" } == ["::1"])
            let option = ["--config", file, "--trusted-proxies", "127.0.0.1, fd00::/8"]
            let given = try self.settings(option, proxies).trustedProxies
            #expect(given.map { "\($0)" } == ["127.0.0.1", "fd00::/8"])
            let both = try self.settings(["--config", file, "--https", "127.0.0.1:3"], environment)
            #expect(both.https?.port == 3 && both.accessLogShare == 0.5 && both.startHold == .zero)
            #expect(try self.settings(["--config", file], environment).https?.host == "::")
            #expect(both.acme.directory == "https://file.example/dir")
        }
    }

    @Test(arguments: [
        (["--https", "nowhere"], "HOST:PORT"), (["--http", "::1:8080"], "HOST:PORT"),
        (["--acme-directory", "http://a.example/dir"], "https URL"),
        (["--acme-email", "nobody"], "address"), (["--acme-ca", "/nowhere/ca.pem"], "No such file"),
        (["--access-log-share", "0.5"], "--access-log"), (["--access-log", "-", "--access-log-share", "2"], "0 to 1"),
        (["--trusted-proxies", "127.0.0.1,proxy.example"], "'proxy.example'"),
        (["--trusted-proxies", "10.0.0.0/33"], "/33"),
        (["--isolation", "jail"], "sandbox, oci, host or strongest"),
        (["--slugs", "ftp://host"], "neither s3:// nor oci://"), (["--slugs", "s3://bucket"], "region="),
        (["--slug-cache-megabytes", "100"], "which is not given"),
        (["--network", "private"], "shared, own or forwarded"),
        (["--network", "own", "--network-range", "10.213.0.0"], "10.213.0.0/16"),
        (["--application-users", "0-5"], "from 1000 on"),
        (["--application-users", "2000"], "FIRST-LAST"), (["--application-users", "2000-2000"], "FIRST-LAST"),
    ])
    func `that make no sense are refused with the reason`(arguments: [String], reason: String) {
        let error = #expect(throws: (any Error).self) { try self.settings(arguments) }
        #expect(error.map { "\($0)".contains(reason) } == true, "\(String(describing: error))")
    }
}
