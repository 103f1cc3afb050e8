import Foundation
import PlatformWire
import SystemPackage
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(5))) struct LifeTests {
        /// Says that it is ready while there is no file `away`, and that it lives while there is no file `dead`.
        private static func sources(_ files: FilePath) -> [String: String] {
            [
                "Procfile": "web: python3 server.py\n", "requirements.txt": "",
                "app.json": """
                {"healthchecks": {"web": [
                  {"type": "readiness", "path": "/away", "wait": 1, "attempts": 1, "content": "well"},
                  {"type": "liveness", "path": "/dead", "wait": 1, "attempts": 2}]}}
                """,
                "server.py": """
                import os
                from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

                class Handler(BaseHTTPRequestHandler):
                    def do_GET(self):
                        fails = self.path != "/" and os.path.exists("\(files.string)" + self.path)
                        self.send_response(500 if fails else 200)
                        self.end_headers()
                        self.wfile.write(b"bad" if fails else b"well")
                    def log_message(self, *arguments): pass

                ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
                """,
            ]
        }

        @Test func `a lost readiness costs an instance its requests, a lost liveness its process`() async throws {
            try await withTemporaryDirectory { directory in
                let switches = directory.appending("switches")
                try FileManager.default.createDirectory(atPath: switches.string, withIntermediateDirectories: true)
                let arguments = ["--start-hold", "0", "--show", switches.string]
                try await withTestHost(data: directory.appending("data"), arguments: arguments) { host in
                    try await host.create("moody")
                    let tree = try await WorkTree(
                        at: directory.appending("moody"), files: Self.sources(switches))
                    let push = try await host.push("moody", from: tree)
                    try #require(push.status == 0, "\(push)")
                    let before = try #require(try await host.instances("moody").first)
                    #expect(before.state == "ready" && before.isRouted)

                    try Data().write(to: URL(fileURLWithPath: switches.appending("away").string))
                    var now = before
                    // Of the two checks, the last one may be either.
                    while now.state != "unready" || now.isRouted || now.lastProbe?.contains("answered 500") != true {
                        now = try await self.only(host)
                    }
                    #expect(now.pid == before.pid && now.restarts == 0)
                    let answer = try await host.get("moody")
                    #expect(answer.status == 503 && answer.headers["x-slipway-error"] == "no-healthy-instance")

                    try FileManager.default.removeItem(atPath: switches.appending("away").string)
                    while now.state != "ready" || !now.isRouted { now = try await self.only(host) }
                    #expect(now.pid == before.pid && now.restarts == 0, "the same process")
                    #expect(try await host.get("moody").text == "well")

                    try Data().write(to: URL(fileURLWithPath: switches.appending("dead").string))
                    while now.restarts == 0 { now = try await self.only(host) }
                    try FileManager.default.removeItem(atPath: switches.appending("dead").string)
                    let reason = "liveness probe failed 2 times, the last time: GET /dead answered 500"
                    #expect(now.lastExit?.contains(reason) == true, "\(now)")
                    let logs = try await host.slipway("logs", "--app", "moody", "-n", "1000", "--source", "platform")
                    #expect(logs.output.contains("web.1 Is being ended: \(reason)"), "\(logs)")
                }
            }
        }

        @Test func `an instance tells by a descriptor that it has started up, and is asked for what it says to expect`()
            async throws
        {
            let files = [
                "Procfile": "web: python3 server.py\n", "requirements.txt": "",
                "app.json": """
                {"healthchecks": {"web": [
                  {"type": "startup", "descriptor": 3},
                  {"type": "readiness", "path": "/", "status": [403], "successes": 2, "wait": 1}]}}
                """,
                "server.py": """
                import os
                from http.server import BaseHTTPRequestHandler, HTTPServer

                class Handler(BaseHTTPRequestHandler):
                    def do_GET(self): self.send_error(403)

                server = HTTPServer(("", int(os.environ["PORT"])), Handler)
                os.write(3, b"\\n")
                os.close(3)
                server.serve_forever()
                """,
            ]
            try await withTemporaryDirectory { directory in
                try await withTestHost(data: directory.appending("data")) { host in
                    try await host.create("moody")
                    let push = try await host.push(
                        "moody", from: try await WorkTree(at: directory.appending("moody"), files: files))
                    try #require(push.status == 0, "\(push)")
                    let instance = try await self.only(host)
                    #expect(instance.state == "ready" && instance.lastProbe == "GET / answered 403", "\(instance)")
                }
            }
        }

        private func only(_ host: TestHost) async throws -> InstanceInfo {
            try #require(try await host.instances("moody").first)
        }
    }
}
