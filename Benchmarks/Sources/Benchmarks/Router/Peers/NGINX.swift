import Foundation

/// nginx, as a proxy that a user would set up for applications, and as the origin.
enum NGINX {
    static func command(_ program: String, directory: String, threads: Int = 1, http: String) throws -> [String] {
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(directory)/\($0);" }.joined(separator: " ")
        let text = """
            \(geteuid() == 0 ? "user root;" : "")
            daemon off;
            worker_processes \(threads);
            pid \(directory)/pid;
            error_log \(directory)/error.log;
            events { worker_connections \(Machine.openFiles - 50); }
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

    static func origin(port: Int, root: String) -> String {
        """
        open_file_cache max=10;
        sendfile on;
        tcp_nopush on;
        server { listen 127.0.0.1:\(port) backlog=4096; root \(root); }
        """
    }

    static func proxy(_ setup: Setup, _ ports: Proxy.Ports) -> String {
        let upgrades = setup.variant == .upgrades
        let fields = [
            "Host $host", "Connection \(upgrades ? "$connection_or_upgrade" : "\"\"")",
            "X-Forwarded-For $proxy_add_x_forwarded_for", "X-Forwarded-Host $host", "X-Forwarded-Proto $scheme",
            "X-Request-ID $request_id",
        ]
        let listens =
            ["listen 127.0.0.1:\(ports.clear);"]
            + (setup.certificate == nil
                ? [] : ["listen 127.0.0.1:\(ports.http2) http2;", "listen 127.0.0.1:\(ports.tls) ssl http2;"])
        let tls = setup.certificate.map {
            "ssl_certificate \($0.chain); ssl_certificate_key \($0.key); ssl_protocols TLSv1.2 TLSv1.3;"
        }
        let servers = setup.hosts.enumerated().map { index, host in
            """
            upstream instances\(index) {
                server 127.0.0.1:\(setup.origin);
                keepalive 128; keepalive_requests 1000000000;
            }
            server {
                \(listens.joined(separator: " "))
                server_name \(host);
                location / { proxy_pass http://instances\(index); }
            }
            """
        }
        return """
            proxy_http_version 1.1;
            \((fields + (upgrades ? ["Upgrade $http_upgrade"] : [])).map { "proxy_set_header \($0);" }
                .joined(separator: " "))
            \(upgrades ? "map $http_upgrade $connection_or_upgrade { default upgrade; '' ''; }" : "")
            \(setup.variant == .largeBuffers ? "proxy_buffers 8 128k; proxy_busy_buffers_size 256k;" : "")
            \(setup.hosts.count > 100 ? "server_names_hash_max_size 131072; server_names_hash_bucket_size 128;" : "")
            \(tls ?? "")
            \(servers.joined(separator: "\n"))
            """
    }
}
