import Foundation
import PlatformWire
import SystemPackage
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(15))) struct BrokenPushTests {
        struct Case: Sendable, CustomTestStringConvertible {
            var name: String
            var changes: [String: String?]
            /// What the push must say.
            var says: [String]
            var testDescription: String { self.name }
        }

        static let cases: [Case] = [
            Case(
                name: "a syntax error", changes: ["app.py": "def broken(:\n    pass\n"],
                says: ["SyntaxError", "app.py"]),
            Case(
                name: "no buildpack",
                changes: ["app.py": nil, "requirements.txt": nil, "Procfile": nil, "notes.txt": "nothing to run"],
                says: ["buildpack"]),
            Case(
                name: "a missing dependency", changes: ["requirements.txt": "slipway-no-such-package-at-all==1.0\n"],
                says: ["slipway-no-such-package-at-all", "status 1"]),
            Case(
                name: "a crash on boot", changes: ["Procfile": "web: echo about to fail; exit 3\n"],
                says: ["web.1", "exit status 3", "about to fail"]),
            Case(
                name: "killed on boot", changes: ["Procfile": "web: echo ouch; kill -9 $$\n"],
                says: ["web.1", "SIGKILL", "ouch"]),
            Case(
                name: "never binds its port", changes: ["Procfile": "web: echo idle here; exec sleep 1000\n"],
                says: ["web.1", "5 s", "idle here", "connection refused"]),
            Case(
                name: "a failing release command",
                changes: ["Procfile": "web: python3 app.py\nrelease: echo migrating; exit 4\n"],
                says: ["release command", "exit status 4", "migrating"]),
            Case(
                name: "a failing health check",
                changes: [
                    "app.json":
                        #"{"healthchecks": {"web": [{"type": "readiness", "name": "up", "path": "/nothing-here"}]}}"#
                ],
                says: ["web.1", "/nothing-here", "404"]),
        ]

        private static let good = [
            "requirements.txt": "",
            "Procfile": "web: python3 app.py\n",
            "app.py": """
            import http.server, os
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    self.send_response(200 if self.path == "/" else 404)
                    self.end_headers()
                    self.wfile.write(b"good")
                def log_message(self, *arguments): pass
            http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
            """,
        ]

        @Test func `each leaves the old release serving, says what failed, and no trace in the repository`()
            async throws
        {
            try await withTemporaryDirectory { directory in
                let arguments = ["--boot-timeout", "5"]
                try await withTestHost(data: directory.appending("data"), arguments: arguments) { host in
                    try await host.create("fragile")
                    let tree = try await WorkTree(at: directory.appending("fragile"), files: Self.good)
                    let first = try await host.push("fragile", from: tree)
                    try #require(first.status == 0, "\(first)")
                    let served = try await host.instances("fragile").map(\.pid)
                    let head = try await tree.git(["rev-parse", "HEAD"]).output

                    for broken in Self.cases {
                        for (file, text) in broken.changes {
                            if let text { try tree.write(file, text) } else { try tree.remove(file) }
                        }
                        let push = try await host.push("fragile", from: tree)
                        #expect(push.status != 0, "\(broken.name): \(push)")
                        #expect(push.error.contains("! [remote rejected]"), "\(broken.name): \(push)")
                        for word in broken.says {
                            #expect(push.error.contains(word), "\(broken.name) says \(word): \(push)")
                        }

                        #expect(try await host.get("fragile").text == "good", "\(broken.name)")
                        let instances = try await host.instances("fragile").filter { $0.isRouted }
                        #expect(instances.map(\.pid) == served, "\(broken.name)")
                        let remote = try await tree.git(["ls-remote", host.remote("fragile"), "refs/heads/main"]).output
                        #expect(remote.hasPrefix(head.prefix(40)), "\(broken.name): \(remote)")
                        let reset = try await tree.git(["reset", "-q", "--hard", String(head.prefix(40))])
                        #expect(reset.status == 0, "\(reset)")
                    }
                    #expect(try await host.releases("fragile").filter(\.isLive).map(\.version) == [1])
                }
            }
        }
    }
}
