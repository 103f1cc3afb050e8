import Foundation

/// A proxy that others use, in the version that is installed.
enum Peer: String {
    case nginx
    case haproxy = "HAProxy"
    case caddy = "Caddy"

    /// `nil` when it is not installed.
    var program: String? { Machine.find(self.rawValue.lowercased()) }

    /// `nginx 1.22.1`
    func name(_ processes: Processes, log: String) throws -> String {
        guard let program else { return self.rawValue }
        let output = try processes.run([program, self == .caddy ? "version" : "-v"], output: log).output
        // Caddy logs a line with the time before it answers.
        let version = output.split(separator: "\n").first { !$0.hasPrefix("{") }?
            .split { !$0.isNumber && $0 != "." }.first { $0.contains(".") && $0.first?.isNumber == true }
        return self.rawValue + (version.map { " \($0)" } ?? "")
    }

    /// Writes its configuration and answers the command that runs it in the foreground.
    func command(_ program: String, _ setup: Setup, _ ports: Proxy.Ports, directory: String) throws -> [String] {
        switch self {
        case .nginx:
            try NGINX.command(
                program, directory: directory, threads: setup.threads, http: NGINX.proxy(setup, ports))
        case .haproxy: try HAProxy.command(program, setup, ports, directory: directory)
        case .caddy: try Caddy.command(program, setup, ports, directory: directory)
        }
    }

    func environment(_ setup: Setup, directory: String) -> [String: String] {
        guard self == .caddy else { return [:] }
        return [
            "GOMAXPROCS": "\(setup.threads)", "HOME": directory, "XDG_DATA_HOME": directory,
            "XDG_CONFIG_HOME": directory,
        ]
    }
}
