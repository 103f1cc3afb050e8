import Foundation

/// What stands around the proxies: the origin, cores, a certificate. Proxies are on one core, the origin and the load
/// on the other.
struct RouterStand {
    let options: Options
    let scratch: Scratch
    let processes: Processes
    let machine = Machine()
    /// Words before the command of a proxy, and before everything else.
    let proxyCore: [String]
    let otherCore: [String]
    /// Where the origin listens.
    let origin: Int

    static let host = "bench.localhost"
    static let bodies = [
        Body(name: "13 B", path: "/13B", size: 13), Body(name: "64 KiB", path: "/64KiB", size: 65_536),
        Body(name: "1 MiB", path: "/1MiB", size: 1_048_576),
    ]

    /// A file that the origin serves.
    struct Body: Sendable {
        let name: String
        let path: String
        let size: Int
    }

    init(options: Options, scratch: Scratch, processes: Processes) throws {
        self.options = options
        self.scratch = scratch
        self.processes = processes
        self.proxyCore = self.machine.pinning(to: self.machine.cores.count - 1)
        self.otherCore = self.machine.pinning(to: 0)
        self.origin = try Self.startOrigin(on: self.otherCore, options, scratch, processes)
    }

    var setup: Setup { Setup(origin: self.origin, pinning: self.proxyCore) }

    func certificate() throws -> Certificate? {
        try Certificate(in: try self.scratch.directory("certificate"), self.processes)
    }

    /// What is to be said about peers that are not there.
    static func missing(_ peers: [Peer]) -> [String] {
        peers.filter { $0.program == nil }.map { "\($0.rawValue) is not installed" }
    }

    /// One more origin, for proxies whose connections would be too many for one.
    func startOrigin() throws -> Int {
        try Self.startOrigin(on: self.otherCore, self.options, self.scratch, self.processes)
    }

    /// nginx, or without it the static server of slipway, with the bodies as files.
    private static func startOrigin(
        on core: [String], _ options: Options, _ scratch: Scratch, _ processes: Processes
    ) throws -> Int {
        let root = try scratch.directory("files")
        for body in Self.bodies {
            try String(repeating: "x", count: body.size)
                .write(toFile: root + body.path, atomically: false, encoding: .utf8)
        }
        let port = try Loopback.freePort()
        let command: [String]
        if let nginx = Machine.find("nginx") {
            command = try NGINX.command(
                nginx, directory: try scratch.directory("origin-\(port)"),
                http: NGINX.origin(port: port, root: root))
        } else if let slipway = options.program("slipway") {
            command = [slipway, "static-server", "--port", "\(port)", root]
        } else {
            throw Failure("there is no origin: neither nginx nor slipway is there")
        }
        let process = try processes.start(core + command, output: scratch.file("origin-\(port).log"))
        try Loopback.waitForAnswer("/13B", host: Self.host, port: port, by: process, processes)
        return port
    }

    // MARK: Proxies

    /// The router alone, in its example program.
    func startSlipway(_ setup: Setup) throws -> Proxy {
        guard let router = self.options.program("router-example") else { throw Failure("router-example is not built") }
        let clear = try Loopback.freePort()
        let tls = try Loopback.freePort()
        var command = setup.pinning + [router, "--listen", "127.0.0.1:\(clear)", "--threads", "\(setup.threads)"]
        // All clients come from this machine.
        command += ["--connections-per-address", "20000"]
        if let certificate = setup.certificate {
            command += ["--tls", "127.0.0.1:\(tls)", "--certificate", certificate.chain, "--key", certificate.key]
        }
        let instances = (0..<setup.instances).map { _ in "=127.0.0.1:\(setup.origin)" }
        command += setup.hosts.flatMap { host in instances.map { host + $0 } }
        let child = try self.processes.start(command, output: self.scratch.file("router-\(clear).log"))
        let proxy = Proxy(
            name: "Slipway", ports: .init(clear: clear, http2: clear, tls: tls), main: child, worker: child)
        try self.waitForAnswer(of: proxy, setup)
        return proxy
    }

    /// A peer; `nil` when it is not installed.
    func start(_ peer: Peer, _ setup: Setup) throws -> Proxy? {
        guard let program = peer.program else { return nil }
        let ports = Proxy.Ports(
            clear: try Loopback.freePort(), http2: try Loopback.freePort(), tls: try Loopback.freePort())
        let directory = try self.scratch.directory("\(peer.rawValue)-\(ports.clear)")
        let main = try self.processes.start(
            setup.pinning + (try peer.command(program, setup, ports, directory: directory)),
            environment: peer.environment(setup, directory: directory), output: directory + ".log")
        var proxy = Proxy(
            name: try peer.name(self.processes, log: directory + ".version"), ports: ports, main: main, worker: main)
        switch setup.variant {
        case .largeBuffers: proxy.name += ", proxy_buffers 8 128k"
        case .splice: proxy.name += ", splice-auto"
        case .standard, .upgrades: break
        }
        try self.waitForAnswer(of: proxy, setup)
        if peer == .nginx {
            guard let worker = Machine.children(of: main.pid).first else { throw Failure("nginx has no worker") }
            proxy.worker = Child(name: "nginx", pid: worker, outputPath: main.outputPath)
        }
        return proxy
    }

    func end(_ proxies: [Proxy?]) throws {
        for proxy in proxies.compactMap({ $0 }) { try self.processes.end(proxy.main) }
    }

    private func waitForAnswer(of proxy: Proxy, _ setup: Setup) throws {
        guard setup.variant != .upgrades else {
            return try Loopback.waitForListener(port: proxy.ports.clear, by: proxy.main, self.processes)
        }
        try Loopback.waitForAnswer(
            "/13B", host: setup.hosts[setup.hosts.count - 1], port: proxy.ports.clear, by: proxy.main, self.processes)
    }
}
