import Foundation

/// Requests that a program makes for some seconds, as many as it can.
struct Load: Sendable {
    /// What came of it.
    struct Result {
        var requests: Double
        var failed: Int
    }

    /// What has to be installed.
    let program: String
    /// The program's arguments for a proxy and a number of seconds.
    let arguments: @Sendable (Proxy, Int) -> [String]
    let result: @Sendable (String) throws -> Result
    /// For how many seconds it runs each time before anything counts.
    var settling = 0

    /// HTTP/1.1 over 64 connections that are kept.
    static func keepAlive(_ path: String, script: String? = nil) -> Load {
        Load(program: "wrk") { proxy, seconds in
            ["-t1", "-c64", "-d\(seconds)s"] + (script.map { ["-s", $0] } ?? ["-H", "Host: \(RouterStand.host)"])
                + ["http://127.0.0.1:\(proxy.ports.clear)\(path)"]
        } result: { output in
            let lines = output.split(separator: "\n").map { $0.split(whereSeparator: { " ,:".contains($0) }) }
            guard let count = lines.first(where: { $0.count > 2 && $0[1] == "requests" && $0[2] == "in" })?.first,
                let requests = Double(count), requests > 0
            else { throw Failure("wrk measured nothing:\n\(output)") }
            let failed = lines.filter { $0.first == "Non-2xx" || $0.first == "Socket" }
                .flatMap { $0.compactMap { Int($0) } }.reduce(0, +)
            return Result(requests: requests, failed: failed)
        }
    }

    /// The same with requests to one host after the other. Before anything counts, each has been asked: a proxy that
    /// keeps connections only for a short while has lost them since the last round.
    static func rotating(over hosts: [String], scratch: Scratch) throws -> Load {
        let script = scratch.file("rotation-\(hosts.count).lua")
        let names = hosts.map { "\"\($0)\"" }.joined(separator: ",")
        try """
        local hosts, requests, next = {\(names)}, {}, 0
        init = function(arguments)
            for i, host in ipairs(hosts) do requests[i] = wrk.format("GET", "/13B", { Host = host }) end
        end
        request = function()
            next = next % #requests + 1
            return requests[next]
        end
        """.write(toFile: script, atomically: false, encoding: .utf8)
        var load = Self.keepAlive("/13B", script: script)
        load.settling = 1
        return load
    }

    /// HTTP/2 over 16 connections with 8 streams each.
    static func http2(isSecure: Bool) -> Load {
        self.h2load(isSecure: isSecure) { _, seconds in ["-c16", "-m8", "-D\(seconds)"] }
    }

    /// HTTP/1.1 over TLS on 64 connections that are kept.
    static let secureKeepAlive = h2load(isSecure: true) { _, seconds in ["--h1", "-c64", "-m1", "-D\(seconds)"] }

    /// Connections of one request over TLS, 1,000 a second. The program never resumes a session.
    static let handshakes = h2load(isSecure: true) { _, seconds in
        let count = 1_000 * seconds
        return ["--h1", "-c\(count)", "-m1", "-n\(count)", "-r50", "--rate-period=50ms"]
    }

    private static func h2load(isSecure: Bool, _ arguments: @escaping @Sendable (Proxy, Int) -> [String]) -> Load {
        Load(program: "h2load") { proxy, seconds in
            arguments(proxy, seconds) + [
                // One cipher and one group for all, whatever each would choose.
                "--tls13-ciphers=TLS_AES_128_GCM_SHA256", "--groups=X25519",
                "--connect-to=127.0.0.1:\(isSecure ? proxy.ports.tls : proxy.ports.http2)",
                "\(isSecure ? "https" : "http")://\(RouterStand.host)/13B",
            ]
        } result: { output in
            if isSecure, !output.contains("TLS Protocol: TLSv1.3") { throw Failure("this was not TLS 1.3:\n\(output)") }
            let words = output.split(separator: "\n").first { $0.hasPrefix("requests: ") }?.split(separator: " ") ?? []
            func count(_ what: String) -> Int {
                words.firstIndex { $0.hasPrefix(what) }.flatMap { Int(words[$0 - 1]) } ?? 0
            }
            guard count("succeeded") > 0 else { throw Failure("h2load measured nothing:\n\(output)") }
            return Result(
                requests: Double(count("done")), failed: count("failed") + count("errored") + count("timeout"))
        }
    }
}
