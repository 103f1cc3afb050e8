import Foundation

/// What a proxy is asked to do. Every proxy gets the same, and none more than its default settings allow unless a
/// variant says so, which then has a line of its own in the table.
struct Setup {
    /// Hosts, each with instances of its own; all of them are the same origin.
    var hosts = ["bench.localhost"]
    /// Where the origin listens on 127.0.0.1.
    var origin: Int
    /// How many instances each host has.
    var instances = 1
    var threads = 1
    /// Set where it shall also listen with TLS.
    var certificate: Certificate?
    /// The cores it may use, as words before its command.
    var pinning: [String]
    var variant = Variant.standard

    /// Settings that differ from the defaults of a peer.
    enum Variant {
        case standard
        /// nginx with buffers that hold a body of 64 KiB.
        case largeBuffers
        /// HAProxy lets the kernel move bodies.
        case splice
        /// Connections may be upgraded. The others do that by themselves.
        case upgrades
    }
}

/// A proxy that is running.
struct Proxy {
    struct Ports {
        /// HTTP/1.1 in clear text.
        var clear: Int
        /// HTTP/2 in clear text, from the first byte on.
        var http2: Int
        /// HTTP/1.1 and HTTP/2 over TLS.
        var tls: Int
    }

    var name: String
    var ports: Ports
    /// What was started, and what ends it.
    var main: Child
    /// The process that does the work.
    var worker: Child

    /// The resident memory in bytes, with what processes share divided among them.
    var memory: Double {
        ([self.main.pid] + Machine.children(of: self.main.pid)).map(Machine.memory).reduce(0, +)
    }
}

/// A key on P-256 and its certificate, signed by itself.
struct Certificate {
    let chain: String
    let key: String
    /// Both, as HAProxy wants them.
    let combined: String

    /// `nil` when openssl is not installed.
    init?(in directory: String, _ processes: Processes) throws {
        guard let openssl = Machine.find("openssl") else { return nil }
        self.chain = directory + "/chain.pem"
        self.key = directory + "/key.pem"
        self.combined = directory + "/combined.pem"
        try processes.run(
            [
                openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                "30",
                "-subj", "/CN=bench.localhost", "-addext", "subjectAltName=DNS:bench.localhost",
                "-keyout", self.key, "-out", self.chain,
            ], output: directory + "/openssl.log")
        let both = try [self.chain, self.key].map { try String(contentsOfFile: $0, encoding: .utf8) }.joined()
        try both.write(toFile: self.combined, atomically: false, encoding: .utf8)
    }
}
