import Foundation
import NIOCore

/// Another reverse proxy, as it is installed here, set up as one would in front of an application: it keeps
/// connections on both sides, streams, passes WebSockets, says who the client is, and believes no client about that.
struct PeerProxy: Sendable {
    var name: String
    private var executable: String
    private var arguments: @Sendable (_ configuration: String) -> [String]
    private var configuration: @Sendable (_ port: Int, _ instance: Int, _ directory: String) -> String

    static let all = [nginx, haproxy]

    private static let nginx = PeerProxy(name: "nginx", executable: "nginx") { file in
        ["-e", file + ".log", "-c", file]
    } configuration: { port, instance, directory in
        """
        \(geteuid() == 0 ? "user root;" : "")
        daemon off;
        worker_processes 1;
        pid \(directory)/nginx.pid;
        error_log \(directory)/error.log;
        events { worker_connections 1024; }
        http {
            access_log off;
            client_body_temp_path \(directory)/body;
            proxy_temp_path \(directory)/proxy;
            fastcgi_temp_path \(directory)/fastcgi;
            uwsgi_temp_path \(directory)/uwsgi;
            scgi_temp_path \(directory)/scgi;
            client_max_body_size \(CaseRunner.bodyLimit);
            map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
            upstream instance { server 127.0.0.1:\(instance); keepalive 16; }
            server {
                listen 127.0.0.1:\(port);
                location / {
                    proxy_pass http://instance;
                    proxy_http_version 1.1;
                    proxy_request_buffering off;
                    proxy_buffering off;
                    proxy_set_header Host $host;
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection $connection_upgrade;
                    proxy_set_header X-Forwarded-For $remote_addr;
                    proxy_set_header X-Forwarded-Proto $scheme;
                    proxy_set_header X-Forwarded-Host $host;
                    proxy_set_header X-Forwarded-Port $server_port;
                    proxy_set_header X-Real-IP $remote_addr;
                    proxy_set_header Forwarded "";
                    proxy_set_header Proxy "";
                }
            }
        }
        """
    }

    private static let haproxy = PeerProxy(name: "HAProxy", executable: "haproxy") { file in
        ["-db", "-f", file]
    } configuration: { port, instance, _ in
        """
        global
            nbthread 1
        defaults
            mode http
            timeout connect 5s
            timeout client 30s
            timeout server 30s
            timeout http-request 10s
            timeout tunnel 1h
        frontend clients
            bind 127.0.0.1:\(port)
            http-request deny deny_status 413 if { req.hdr_val(content-length) gt \(CaseRunner.bodyLimit) }
            http-request set-header X-Forwarded-For %[src]
            http-request set-header X-Forwarded-Proto http
            http-request set-header X-Forwarded-Host %[req.hdr(host)]
            http-request set-header X-Forwarded-Port %[dst_port]
            http-request set-header X-Real-IP %[src]
            http-request del-header Forwarded
            http-request del-header Proxy
            default_backend instances
        backend instances
            server web.1 127.0.0.1:\(instance)

        """
    }

    /// Its name with its version; nil when it is not installed.
    var title: String? {
        guard let program = self.program else { return nil }
        let output = Foundation.Pipe()
        let process = Process()
        process.executableURL = program
        process.arguments = ["-v"]
        process.standardOutput = output
        process.standardError = output
        guard (try? process.run()) != nil, let data = try? output.fileHandleForReading.readToEnd() else { return nil }
        process.waitUntilExit()
        let version = String(decoding: data, as: UTF8.self).split { " /\n".contains($0) }
            .first { $0.first?.isWholeNumber == true }
        return self.name + (version.map { " \($0.prefix { $0.isWholeNumber || $0 == "." })" } ?? "")
    }

    private var program: URL? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return (path.split(separator: ":") + ["/usr/sbin", "/usr/local/sbin"])
            .map { URL(fileURLWithPath: String($0)).appendingPathComponent(self.executable) }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }

    /// Runs it in front of an instance for the length of `body`.
    func run(_ body: (CaseRunner) async throws -> Void) async throws {
        guard let program = self.program else { return }
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("conformance-\(self.name)-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try await CaseInstance.run { instance in
            let port = try await Self.freePort()
            let file = directory.appendingPathComponent("configuration")
            try Data(self.configuration(port, instance.port, directory.path).utf8).write(to: file)
            let process = Process()
            process.executableURL = program
            process.arguments = self.arguments(file.path)
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            defer {
                process.terminate()
                process.waitUntilExit()
            }
            try await Self.waitForListener(port, process)
            try await body(CaseRunner(instance: instance, port: port, limit: .seconds(1)))
        }
    }

    private static func freePort() async throws -> Int {
        let channel = try await WireConnection.listen { _ in }
        let port = channel.localAddress?.port ?? 0
        try await channel.close().get()
        return port
    }

    /// Another program does not tell when it listens: it has to be asked again and again.
    private static func waitForListener(_ port: Int, _ process: Process) async throws {
        while process.isRunning {
            if let connection = try? await WireConnection.connect(port: port) { return await connection.close() }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw CaseFileError("The proxy on port \(port) has ended at once.")
    }
}
