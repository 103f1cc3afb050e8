import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import RouterCore

/// A router for real programs to talk to, in clear text and with TLS, that serves the host `a.example`.
struct PeerSetting: Sendable {
    var clear: Int
    var secure: Int
    /// The authority of its certificate, PEM.
    var roots: String
    /// For what a program wants to keep.
    var directory: FilePath

    static func with(
        _ driver: Driver, instance port: Int, _ body: (PeerSetting, Router) async throws -> Void
    ) async throws {
        let authority = try TestAuthority()
        let store = CertificateStore()
        try store.setDefault(try authority.issue(["a.example"]).certificate)
        try await withTemporaryDirectory { directory in
            let roots = directory.appending("roots.pem").string
            try authority.pem.write(toFile: roots, atomically: true, encoding: .utf8)
            try await withRouter(
                driver, configure: { $0.listeners.append(.init(host: "127.0.0.1", port: 0, security: .tls)) },
                certificates: store
            ) { router, clear in
                let secure = Int(try await router.listening()[1].split(separator: ":").last ?? "") ?? 0
                // Programs that cannot be told another host name ask for the address.
                try router.setPorts([port]) { $0.hosts = ["a.example", "127.0.0.1"] }
                try await body(
                    PeerSetting(clear: clear, secure: secure, roots: roots, directory: directory), router)
            }
        }
    }

    func curl(_ arguments: [String], input: String = "") async throws -> String {
        let fixed = [
            "-sS", "--cacert", self.roots, "--resolve", "a.example:\(self.clear):127.0.0.1", "--resolve",
            "a.example:\(self.secure):127.0.0.1",
        ]
        let result = try await Program.run("curl", fixed + arguments, input: input)
        if result.status != 0 { Issue.record("curl \(arguments): \(result)") }
        return result.output
    }

    /// Every way to ask over HTTP: what curl is told, where, and what it then says it spoke.
    var ways: [(flags: [String], url: String, version: String)] {
        [
            (["--http1.0"], "http://a.example:\(self.clear)", "1.1"),
            (["--http1.1"], "http://a.example:\(self.clear)", "1.1"),
            // It offers to change to HTTP/2, which is not taken up (RFC 9113 has dropped it).
            (["--http2"], "http://a.example:\(self.clear)", "1.1"),
            (["--http2-prior-knowledge"], "http://a.example:\(self.clear)", "2"),
            (["--http1.1"], "https://a.example:\(self.secure)", "1.1"),
            (["--http2"], "https://a.example:\(self.secure)", "2"),
        ]
    }
}
