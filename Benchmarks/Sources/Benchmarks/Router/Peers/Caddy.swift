import Foundation

/// Caddy, which adds `X-Forwarded-*` by itself.
enum Caddy {
    static func command(
        _ program: String, _ setup: Setup, _ ports: Proxy.Ports, directory: String
    ) throws -> [String] {
        let sites = setup.hosts.map { host in
            """
            http://\(host):\(ports.clear) {
                bind 127.0.0.1
                reverse_proxy 127.0.0.1:\(setup.origin) {
                    header_up X-Request-ID {http.request.uuid}
                    transport http {
                        keepalive_idle_conns_per_host 128
                    }
                }
            }

            """
        }
        let text = """
            {
                admin off
                auto_https off
            }
            \(sites.joined())
            """
        try text.write(toFile: directory + "/Caddyfile", atomically: false, encoding: .utf8)
        return [program, "run", "--adapter", "caddyfile", "--config", directory + "/Caddyfile"]
    }
}
