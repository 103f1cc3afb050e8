import Foundation

/// HAProxy with a map from hosts to backends, which is what its manual recommends for many.
enum HAProxy {
    static func command(
        _ program: String, _ setup: Setup, _ ports: Proxy.Ports, directory: String
    ) throws -> [String] {
        let map = directory + "/hosts.map"
        try setup.hosts.enumerated().map { "\($1) instances\($0)\n" }.joined()
            .write(toFile: map, atomically: false, encoding: .utf8)
        let tls = setup.certificate.map {
            """
            bind 127.0.0.1:\(ports.http2) proto h2
                bind 127.0.0.1:\(ports.tls) ssl crt \($0.combined) alpn h2,http/1.1
            """
        }
        let backends = setup.hosts.indices.map {
            """
            backend instances\($0)
                server one 127.0.0.1:\(setup.origin)

            """
        }
        let text = """
            global
                nbthread \(setup.threads)
            defaults
                mode http
                timeout connect 5s
                timeout client 60s
                timeout server 60s
                timeout tunnel 1h
                \(setup.variant == .splice ? "option splice-auto" : "")
            frontend all
                bind 127.0.0.1:\(ports.clear)
                \(tls ?? "")
                http-request set-header X-Forwarded-For %[src]
                http-request set-header X-Forwarded-Host %[req.hdr(host)]
                http-request set-header X-Forwarded-Proto https if { ssl_fc }
                http-request set-header X-Forwarded-Proto http if !{ ssl_fc }
                unique-id-format %{+X}o\\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid
                unique-id-header X-Request-ID
                use_backend %[req.hdr(host),field(1,:),lower,map(\(map))]
            \(backends.joined())
            """
        try text.write(toFile: directory + "/haproxy.cfg", atomically: false, encoding: .utf8)
        return [program, "-db", "-f", directory + "/haproxy.cfg"]
    }
}
