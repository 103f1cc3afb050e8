import Foundation
import SystemPackage
import Testing

@testable import RouterCore

/// Programs that ask much and quickly, each for a bounded time.
@Suite(.timeLimit(.minutes(1))) struct `With programs that load a server` {
    private static let h2load = "nghttp2's h2load is not installed"

    @Test(.enabled(if: Program.has("h2load"), "\(h2load)"), arguments: Driver.allCases)
    func `h2load has every request answered`(driver: Driver) async throws {
        let origin = try await TestOrigin { _ in .echo }
        try await PeerSetting.with(driver, instance: origin.address.port) { (setting, _) async throws in
            let body = setting.directory.appending("body").string
            try String(repeating: "b", count: 30_000).write(toFile: body, atomically: true, encoding: .utf8)
            let clear = "http://127.0.0.1:\(setting.clear)/"
            let secure = "https://127.0.0.1:\(setting.secure)/"
            for arguments in [
                ["-c10", "-m20", clear], ["-c10", "--h1", "-m5", clear], ["-c10", "-m20", secure],
                ["-c5", "-m10", "-d", body, clear], ["-c5", "-m10", "-d", body, secure],
                // Windows that hold a fraction of the body.
                ["-c5", "-m10", "-w10", "-W10", "-d", body, clear],
            ] {
                let result = try await Program.run("h2load", ["-t1", "-n400"] + arguments)
                #expect(
                    result.output.contains(
                        "requests: 400 total, 400 started, 400 done, 400 succeeded, 0 failed, 0 errored, 0 timeout"),
                    "\(arguments): \(result)")
                #expect(
                    result.output.contains("status codes: 400 2xx, 0 3xx, 0 4xx, 0 5xx"), "\(arguments): \(result)")
            }
        }
        await origin.stop()
    }

    @Test(.enabled(if: Program.has("nghttp"), "nghttp2's nghttp is not installed"), arguments: Driver.allCases)
    func `nghttp sends and gets bodies and trailers`(driver: Driver) async throws {
        let origin = try await TestOrigin { request in
            request.path == "/trailers"
                ? .bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n")
                : .echo
        }
        try await PeerSetting.with(driver, instance: origin.address.port) { (setting, _) async throws in
            let body = setting.directory.appending("body").string
            try "hello from nghttp".write(toFile: body, atomically: true, encoding: .utf8)
            for url in ["http://127.0.0.1:\(setting.clear)", "https://127.0.0.1:\(setting.secure)"] {
                let echoed = try await Program.run("nghttp", ["-d", body, "\(url)/"])
                #expect(echoed.output == "hello from nghttp", "\(echoed)")
                let sent = try await Program.run("nghttp", ["-d", body, "--trailer=x-sum: 7", "\(url)/"])
                #expect(sent.output == "hello from nghttp", "\(sent)")
                // All of it in frames, padded and with the smallest table for its fields.
                let seen = try await Program.run(
                    "nghttp", ["-nv", "-b", "20", "--header-table-size=0", "\(url)/trailers"])
                #expect(seen.output.contains("x-sum: 42"), "\(seen)")
                #expect(!seen.output.contains("RST_STREAM"), "\(seen)")
                let many = try await Program.run("nghttp", ["-n", "-s", "-m", "20", "\(url)/"])
                #expect(many.output.components(separatedBy: " 200 ").count > 20, "\(many)")
            }
        }
        await origin.stop()
    }

    @Test(.enabled(if: Program.has("wrk"), "wrk is not installed"), arguments: Driver.allCases)
    func `wrk meets no error`(driver: Driver) async throws {
        let origin = try await TestOrigin { _ in .echo }
        try await PeerSetting.with(driver, instance: origin.address.port) { (setting, _) async throws in
            for url in ["http://127.0.0.1:\(setting.clear)/", "https://127.0.0.1:\(setting.secure)/"] {
                let result = try await Program.run("wrk", ["-t1", "-c50", "-d1s", url])
                #expect(result.status == 0 && result.output.contains("Requests/sec"), "\(result)")
                #expect(!result.output.contains("Socket errors"), "\(result)")
                #expect(!result.output.contains("Non-2xx"), "\(result)")
            }
        }
        await origin.stop()
    }
}
