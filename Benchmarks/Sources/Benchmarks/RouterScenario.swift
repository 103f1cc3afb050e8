import Foundation

/// The router beside nginx, each on one core, both in front of the same origin: CPU time per request.
///
/// The origin and the load share the other core. All targets are measured in turn within a round, so that what disturbs
/// the machine disturbs each of them.
struct RouterScenario {
    let options: Options
    let scratch: Scratch
    let processes: Processes

    private static let host = "bench.localhost"
    private static let connections = 64
    private static let bodies = [(path: "/13B", size: 13), (path: "/64KiB", size: 65_536)]

    /// Something that requests are sent to, and the process whose time counts.
    private struct Target {
        var port: Int
        var path: String
        var process: Child
    }

    /// What one load of a target cost.
    private struct Load {
        var microseconds: Double
        var failed: Int
    }

    func run() throws -> [Row] {
        let what = "CPU per request"
        guard let router = self.options.program("router-example") else {
            return [Row(what: what, unit: "µs", note: "router-example is not built")]
        }
        guard let wrk = Machine.find("wrk") else { return [Row(what: what, unit: "µs", note: "wrk is not installed")] }
        let machine = Machine()
        let proxyCore = machine.pinning(to: machine.cores.count - 1)
        let otherCore = machine.pinning(to: 0)

        guard let origin = try self.startOrigin(on: otherCore) else {
            return [Row(what: what, unit: "µs", note: "there is no origin: neither nginx nor slipway is there")]
        }
        let routerPort = try Loopback.freePort()
        let routerProcess = try self.processes.start(
            proxyCore + [
                router, "--listen", "127.0.0.1:\(routerPort)", "--threads", "1",
                "\(Self.host)=127.0.0.1:\(origin)",
            ], output: self.scratch.file("router.log"))
        try Loopback.waitForAnswer("/13B", host: Self.host, port: routerPort, by: routerProcess, self.processes)
        var targets = Self.bodies.map { Target(port: routerPort, path: $0.path, process: routerProcess) }

        let nginx = Machine.find("nginx")
        if let nginx {
            let (ports, worker) = try self.startProxy(nginx, origin: origin, on: proxyCore)
            targets += Self.bodies.map { Target(port: ports.standard, path: $0.path, process: worker) }
            targets.append(Target(port: ports.largeBuffers, path: "/64KiB", process: worker))
        }

        // Connections are made, buffers grow and pools fill before anything counts.
        for target in targets { _ = try self.load(target, seconds: 1, with: otherCore + [wrk]) }
        var loads = targets.map { _ in [Load]() }
        for _ in 0..<(self.options.rounds ?? 5) {
            for (index, target) in targets.enumerated() {
                loads[index].append(try self.load(target, seconds: self.options.seconds, with: otherCore + [wrk]))
            }
        }
        let rows = self.rows(loads, peer: try nginx.map(self.version), isPinned: !proxyCore.isEmpty)
        try self.processes.end(routerProcess)
        return rows
    }

    private func rows(_ loads: [[Load]], peer: String?, isPinned: Bool) -> [Row] {
        func row(_ what: String, _ own: Int, _ other: Int, _ peer: String?) -> Row {
            let peerLoads = peer == nil ? [] : loads[other]
            var notes = peer == nil ? ["nginx is not installed"] : []
            if !isPinned { notes.append("not pinned to a core") }
            let failed = loads[own].map(\.failed).reduce(0, +)
            let peerFailed = peerLoads.map(\.failed).reduce(0, +)
            if failed + peerFailed > 0 { notes.append("failed requests: \(failed), at the peer \(peerFailed)") }
            return Row(
                what: what, unit: "µs", slipway: loads[own].map(\.microseconds), peer: peer,
                peerValues: peerLoads.map(\.microseconds), note: notes.isEmpty ? nil : notes.joined(separator: "; "))
        }
        var rows = [row("CPU per request, 13 B", 0, 2, peer), row("CPU per request, 64 KiB", 1, 3, peer)]
        if let peer { rows.append(row("CPU per request, 64 KiB", 1, 4, peer + ", proxy_buffers 8 128k")) }
        return rows
    }

    /// Lets `wrk` ask for some seconds, and divides the time of the process by the requests.
    private func load(_ target: Target, seconds: Int, with wrk: [String]) throws -> Load {
        let before = target.process.cpu
        let output = try self.processes.run(
            wrk + [
                "-t1", "-c\(Self.connections)", "-d\(seconds)s", "-H", "Host: \(Self.host)",
                "http://127.0.0.1:\(target.port)\(target.path)",
            ], output: self.scratch.file("wrk.log")
        ).output
        let cpu = target.process.cpu - before
        let lines = output.split(separator: "\n").map { $0.split(whereSeparator: { " ,:".contains($0) }) }
        guard let count = lines.first(where: { $0.count > 2 && $0[1] == "requests" && $0[2] == "in" })?.first,
            let requests = Double(count), requests > 0
        else { throw Failure("wrk measured nothing:\n\(output)") }
        let failed = lines.filter { $0.first == "Non-2xx" || $0.first == "Socket" }
            .flatMap { $0.compactMap { Int($0) } }.reduce(0, +)
        return Load(microseconds: cpu / requests * 1e6, failed: failed)
    }

    // MARK: What stands around the router

    /// nginx, or without it the static server of slipway, with the bodies as files. Answers its port.
    private func startOrigin(on core: [String]) throws -> Int? {
        let root = try self.scratch.directory("files")
        for (path, size) in Self.bodies {
            try String(repeating: "x", count: size).write(toFile: root + path, atomically: false, encoding: .utf8)
        }
        let port = try Loopback.freePort()
        let command: [String]
        if let nginx = Machine.find("nginx") {
            command = try self.nginx(
                nginx, name: "origin",
                """
                open_file_cache max=10;
                sendfile on;
                tcp_nopush on;
                server { listen 127.0.0.1:\(port); root \(root); }
                """)
        } else if let slipway = self.options.program("slipway") {
            command = [slipway, "static-server", "--port", "\(port)", root]
        } else {
            return nil
        }
        let process = try self.processes.start(core + command, output: self.scratch.file("origin.log"))
        try Loopback.waitForAnswer("/13B", host: Self.host, port: port, by: process, self.processes)
        return port
    }

    /// nginx as a user would set it up for an application; and once more with buffers that hold the larger body.
    private func startProxy(
        _ nginx: String, origin: Int, on core: [String]
    ) throws -> (ports: (standard: Int, largeBuffers: Int), worker: Child) {
        let ports = (standard: try Loopback.freePort(), largeBuffers: try Loopback.freePort())
        let fields = [
            "Host $host", "Connection \"\"", "X-Forwarded-For $proxy_add_x_forwarded_for", "X-Forwarded-Host $host",
            "X-Forwarded-Proto $scheme", "X-Request-ID $request_id",
        ]
        func server(_ port: Int, _ extra: String) -> String {
            """
            server {
                listen 127.0.0.1:\(port);
                server_name \(Self.host);
                location / {
                    proxy_pass http://origin;
                    proxy_http_version 1.1;
                    \(fields.map { "proxy_set_header \($0);" }.joined(separator: " "))
                    \(extra)
                }
            }
            """
        }
        let command = try self.nginx(
            nginx, name: "proxy",
            """
            upstream origin { server 127.0.0.1:\(origin); keepalive 64; keepalive_requests 1000000000; }
            \(server(ports.standard, ""))
            \(server(ports.largeBuffers, "proxy_buffers 8 128k; proxy_busy_buffers_size 256k;"))
            """)
        let master = try self.processes.start(core + command, output: self.scratch.file("proxy.log"))
        try Loopback.waitForAnswer("/13B", host: Self.host, port: ports.standard, by: master, self.processes)
        guard let worker = Machine.children(of: master.pid).first else { throw Failure("nginx has no worker process") }
        return (ports, Child(name: "nginx", pid: worker, outputPath: master.outputPath))
    }

    private func nginx(_ program: String, name: String, _ http: String) throws -> [String] {
        let directory = try self.scratch.directory(name)
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(directory)/\($0);" }.joined(separator: " ")
        let text = """
            \(geteuid() == 0 ? "user root;" : "")
            daemon off;
            worker_processes 1;
            pid \(directory)/pid;
            error_log \(directory)/error.log;
            events { worker_connections 1024; }
            http {
                access_log off;
                keepalive_requests 1000000000;
                \(temporary)
                \(http)
            }
            """
        try text.write(toFile: directory + "/nginx.conf", atomically: false, encoding: .utf8)
        return [program, "-e", directory + "/error.log", "-c", directory + "/nginx.conf"]
    }

    /// `nginx 1.22.1`
    private func version(of nginx: String) throws -> String {
        let output = try self.processes.run([nginx, "-v"], output: self.scratch.file("version.log")).output
        return "nginx"
            + (output.split(whereSeparator: \.isWhitespace).last?.split(separator: "/").last.map { " \($0)" } ?? "")
    }
}
