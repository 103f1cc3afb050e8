import Foundation
import Testing

@testable import RouterCore

@Suite(.timeLimit(.minutes(1)), .enabled(if: Program.has("curl"), "curl is not installed")) struct `With curl` {
    /// Says what it was asked with at `/head`, and ends with trailers at `/trailers`.
    private func origin() async throws -> TestOrigin {
        try await TestOrigin { request in
            switch request.path {
            case "/head":
                .bytes("HTTP/1.1 200 OK\r\nContent-Length: \(request.head.utf8.count)\r\n\r\n\(request.head)")
            case "/trailers":
                .bytes(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                        + "5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n")
            default: .echo
            }
        }
    }

    @Test(arguments: Driver.allCases) func `every version carries every kind of body`(driver: Driver) async throws {
        let instance = try ScriptedInstance { socket, _ in
            while true {
                let head = try socket.read(until: "\r\n\r\n")
                if head.lowercased().contains("\r\nexpect: 100-continue\r\n") {
                    try socket.write("HTTP/1.1 100 Continue\r\n\r\n")
                }
                let body = try socket.readBody(of: head)
                try socket.write("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            }
        }
        try await PeerSetting.with(driver, instance: instance.port) { (setting, _) async throws in
            let large = String(repeating: "0123456789abcdef", count: 20_000)
            // Without the word to go on it would wait for longer than this test may take.
            let fixed = ["-w", " %{http_version} %{http_code}", "--expect100-timeout", "100"]
            for (flags, url, version) in setting.ways {
                // Of known length, of known length and after a word, of unknown length: in chunks, or frames.
                var kinds = [["--data-binary", "@-"]]
                // HTTP/1.0 has nothing but the first.
                if flags != ["--http1.0"] {
                    kinds += [["-H", "Expect: 100-continue", "--data-binary", "@-"], ["-T", "-"]]
                }
                for kind in kinds {
                    for body in ["", "x", large] {
                        let echo = try await setting.curl(flags + fixed + kind + ["\(url)/"], input: body)
                        #expect(echo == "\(body) \(version) 200", "\(flags) \(kind)")
                    }
                }
            }
        }
        await instance.stop()
    }

    @Test(arguments: Driver.allCases) func `what concerns one connection alone is not passed on`(driver: Driver)
        async throws
    {
        let origin = try await self.origin()
        try await PeerSetting.with(driver, instance: origin.address.port) { (setting, _) async throws in
            for (flags, url, _) in setting.ways {
                let head = try await setting.curl(
                    flags + ["-H", "Keep-Alive: 5", "-H", "TE: trailers", "\(url)/head"])
                let lower = head.lowercased()
                for field in ["upgrade:", "http2-settings:", "keep-alive:", "proxy-", "connection:"] {
                    #expect(!lower.contains("\r\n\(field)"), "\(flags): \(head)")
                }
                #expect(head.hasPrefix("GET /head HTTP/1.1\r\n"), "\(flags): \(head)")
                #expect(lower.contains("\r\nhost: a.example:"), "\(flags): \(head)")
            }
            // It takes the router for its own proxy, and asks in absolute form with a Proxy-Connection.
            let proxied = try await setting.curl([
                "-x", "http://127.0.0.1:\(setting.clear)",
                "http://a.example/head",
            ])
            #expect(proxied.hasPrefix("GET /head HTTP/1.1\r\n"), "\(proxied)")
            #expect(!proxied.lowercased().contains("\r\nproxy-"), "\(proxied)")
            // A tunnel to anywhere is not to be had.
            let tunnel = try await Program.run(
                "curl", ["-sS", "-p", "-x", "http://127.0.0.1:\(setting.clear)", "http://a.example/head"])
            #expect(tunnel.status != 0)
            #expect(tunnel.error.contains("405"), "\(tunnel)")
        }
        await origin.stop()
    }

    @Test(arguments: Driver.allCases) func `trailers, heads and connections arrive`(driver: Driver) async throws {
        let origin = try await self.origin()
        try await PeerSetting.with(driver, instance: origin.address.port) { (setting, _) async throws in
            for (flags, url, _) in setting.ways where flags != ["--http1.0"] {
                let answer = try await setting.curl(flags + ["-D", "-", "\(url)/trailers"])
                #expect(answer.contains("hello"), "\(flags): \(answer)")
                #expect(answer.lowercased().contains("x-sum: 42"), "\(flags): \(answer)")
                // A body is not waited for where there is none.
                let head = try await setting.curl(flags + ["-I", "\(url)/head"])
                #expect(head.contains(" 200"), "\(flags): \(head)")
                // One connection serves them all. This curl must not be told twice to begin in frames (7.88 does it).
                if flags == ["--http2-prior-knowledge"] { continue }
                let many = try await setting.curl(
                    flags + ["-w", "%{num_connects} %{http_code}\\n", "-o", "/dev/null", "\(url)/[1-5]"])
                #expect(many == "1 200\n" + String(repeating: "0 200\n", count: 4), "\(flags): \(many)")
            }
        }
        await origin.stop()
    }
}
