import Foundation

/// A push of a trivial application to the host, beside a push of the same commit to a repository on disk; and within it
/// the way from the end of the build to the first routed request of the new release.
struct PushScenario {
    let options: Options
    let scratch: Scratch
    let processes: Processes

    /// One push, in milliseconds.
    private struct Round {
        var wall: Double
        var client: Double
        var host: Double
        var switchWall: Double
        var switchHost: Double
        var diskWall: Double
        var diskCPU: Double
    }

    private struct Host {
        var process: Child
        var data: String
        var http: Int
        var admin: String
        var token: String
    }

    func run() throws -> [Row] {
        let what = "git push"
        guard let slipway = self.options.program("slipway") else {
            return [Row(what: what, unit: "ms", note: "slipway is not built")]
        }
        guard Machine.find("git") != nil else { return [Row(what: what, unit: "ms", note: "git is not installed")] }
        guard let python = try self.interpreter() else {
            return [Row(what: what, unit: "ms", note: "python3, which the application is written in, is not installed")]
        }
        let source = try self.makeApplication(python)
        let boots = try (0..<5).map { _ in try self.boot(source, python) }
        let host = try self.startHost(slipway)
        _ = try self.push(1, source, host)  // makes the application's directories; does not count
        let count = self.options.rounds ?? 7
        let rounds = try (2..<(count + 2)).map { number in
            try self.waitForOneInstance(host)
            return try self.push(number, source, host)
        }
        try self.processes.end(host.process)

        let boot = boots.map(\.wall).median ?? 0
        let peer = "git push file://"
        return [
            Row(what: "git push, as its user sees it", unit: "ms", slipway: rounds.map(\.wall)),
            Row(
                what: "git push, without the application's boot", unit: "ms", slipway: rounds.map { $0.wall - boot },
                peer: peer, peerValues: rounds.map(\.diskWall), note: "the peer builds and starts nothing"),
            Row(
                what: "git push, CPU of client and server", unit: "ms", slipway: rounds.map { $0.client + $0.host },
                peer: peer, peerValues: rounds.map(\.diskCPU), note: "the application's own not counted"),
            Row(what: "git push, CPU of the host alone", unit: "ms", slipway: rounds.map(\.host)),
            Row(
                what: "end of the build to the first request", unit: "ms", slipway: rounds.map(\.switchWall),
                note: "the application's boot included"),
            Row(what: "…, CPU of the host", unit: "ms", slipway: rounds.map(\.switchHost)),
            Row(what: "the application's boot by itself", unit: "ms", slipway: boots.map(\.wall)),
            Row(what: "…, CPU", unit: "ms", slipway: boots.map(\.cpu)),
        ]
    }

    // MARK: A round

    private func push(_ number: Int, _ source: String, _ host: Host) throws -> Round {
        try "release \(number)\n".write(toFile: source + "/release", atomically: false, encoding: .utf8)
        try self.git(["add", "."], in: source)
        try self.git(["commit", "-qm", "Release \(number)"], in: source)

        let diskStart = now()
        let disk = try self.git(["push", "-q", "file://" + self.scratch.file("bare.git"), "main"], in: source)
        let diskWall = now() - diskStart

        let cpuStart = host.process.cpu
        let start = now()
        let push = try self.processes.start(
            ["git", "-C", source, "push", "http://slipway:\(host.token)@\(host.admin)/git/bench.git", "main"],
            environment: self.gitEnvironment, output: self.scratch.file("push.log"))
        // The record of the deployment says where it stands, and asking it costs the host nothing.
        try self.waitForRecord(of: number, "added to the store", push, host)
        let (built, cpuBuilt) = (now(), host.process.cpu)
        try self.waitForRecord(of: number, "is live with v\(number)", push, host)
        while Loopback.get(host: "bench.localhost", port: host.http)?.body != "release \(number)\n" {
            guard now() - built < 30 else { throw Failure("release \(number) is live, but not routed to") }
            usleep(1_000)
        }
        let (routed, cpuRouted) = (now(), host.process.cpu)
        let exit = try self.processes.wait(push, seconds: 30)
        let end = now()
        guard exit.status == 0 else { throw Failure("the push failed:\n\(push.output)") }
        return Round(
            wall: (end - start) * 1e3, client: exit.cpu * 1e3, host: (host.process.cpu - cpuStart) * 1e3,
            switchWall: (routed - built) * 1e3, switchHost: (cpuRouted - cpuBuilt) * 1e3, diskWall: diskWall * 1e3,
            diskCPU: disk.cpu * 1e3)
    }

    private func waitForRecord(of number: Int, _ text: String, _ push: Child, _ host: Host) throws {
        let deadline = now() + 60
        let directory = host.data + "/deployments"
        while now() < deadline {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
            if let name = names.first(where: { $0.hasSuffix("-\(number).log") }),
                let record = try? String(contentsOfFile: directory + "/" + name, encoding: .utf8), record.contains(text)
            {
                return
            }
            if let exit = self.processes.exit(of: push), exit.status != 0 { break }
            usleep(500)
        }
        throw Failure("push \(number) did not come to \"\(text)\":\n\(push.output)")
    }

    /// The instance of the release before has ended, so that its end does not count as part of the next push.
    private func waitForOneInstance(_ host: Host) throws {
        let deadline = now() + 30
        while Machine.processes(inDirectory: host.data).count != 1 {
            guard now() < deadline else { throw Failure("the instance of the release before does not end") }
            usleep(20_000)
        }
    }

    /// How long the application takes to answer when nothing but a shell starts it.
    private func boot(_ source: String, _ python: String) throws -> (wall: Double, cpu: Double) {
        let port = try Loopback.freePort()
        let start = now()
        let process = try self.processes.start(
            ["env", "-C", source, "sh", "-c", Self.command(python)], environment: ["PORT": "\(port)"],
            output: self.scratch.file("boot.log"))
        while Loopback.get(host: "localhost", port: port)?.status != 200 {
            guard now() - start < 15, self.processes.exit(of: process) == nil else {
                throw Failure("the application does not start:\n\(process.output)")
            }
            usleep(500)
        }
        let wall = now() - start
        return (wall * 1e3, try self.processes.end(process).cpu * 1e3)
    }

    // MARK: What is needed for it

    private static func command(_ python: String) -> String { "exec \(python) -S -E server" }

    /// The interpreter itself: a version manager's shim would cost more than the application.
    private func interpreter() throws -> String? {
        guard Machine.find("python3") != nil else { return nil }
        let path = try self.processes.run(
            ["python3", "-c", "import sys; print(sys.executable)"], output: self.scratch.file("python.log")
        ).output.trimmingCharacters(in: .whitespacesAndNewlines)
        return path.isEmpty ? nil : path
    }

    private func makeApplication(_ python: String) throws -> String {
        let source = try self.scratch.directory("source")
        let server = """
            import os, socket
            body = open("release", "rb").read()
            answer = b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n%s" % (len(body), body)
            server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])), backlog=64)
            while True:
                client, _ = server.accept()
                if client.recv(65536):
                    client.sendall(answer)
                client.close()

            """
        try server.write(toFile: source + "/server", atomically: false, encoding: .utf8)
        try "web: \(Self.command(python))\n".write(toFile: source + "/Procfile", atomically: false, encoding: .utf8)
        try "release 0\n".write(toFile: source + "/release", atomically: false, encoding: .utf8)
        try self.git(["init", "-q", "-b", "main"], in: source)
        try self.git(["init", "-q", "--bare", self.scratch.file("bare.git")], in: source)
        return source
    }

    private func startHost(_ slipway: String) throws -> Host {
        let data = self.scratch.file("data")
        let process = try self.processes.start(
            [slipway, "serve", "--data", data, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--stop-grace", "5"],
            output: self.scratch.file("host.log"))
        let deadline = now() + 30
        while !process.output.contains("token") {
            guard now() < deadline, self.processes.exit(of: process) == nil else {
                throw Failure("slipway does not become ready:\n\(process.output)")
            }
            usleep(5_000)
        }
        func address(_ name: String) -> String? {
            process.output.split(separator: "\n").map { $0.split(separator: " ") }
                .first { $0.count == 2 && $0[0] == name }?
                .last.map { $0.replacingOccurrences(of: "http://", with: "").trimmingCharacters(in: ["/"]) }
        }
        guard let http = address("applications")?.split(separator: ":").last.flatMap({ Int($0) }),
            let admin = address("dashboard")
        else { throw Failure("slipway does not say where it is:\n\(process.output)") }
        let token = try String(contentsOfFile: data + "/admin-token", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        // Away from any work tree: there it would add a remote to it.
        try self.processes.run(
            ["env", "-C", self.scratch.path, slipway, "apps", "create", "bench"],
            environment: ["SLIPWAY_URL": "http://\(admin)", "SLIPWAY_DATA": data],
            output: self.scratch.file("create.log"))
        return Host(process: process, data: data, http: http, admin: admin, token: token)
    }

    /// Nothing of the user's own configuration.
    private var gitEnvironment: [String: String] {
        [
            "HOME": self.scratch.path, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0", "GIT_AUTHOR_NAME": "bench", "GIT_AUTHOR_EMAIL": "bench@localhost",
            "GIT_COMMITTER_NAME": "bench", "GIT_COMMITTER_EMAIL": "bench@localhost",
        ]
    }

    @discardableResult
    private func git(_ arguments: [String], in directory: String) throws -> Exit {
        try self.processes.run(
            ["git", "-C", directory] + arguments, environment: self.gitEnvironment, output: self.scratch.file("git.log")
        ).exit
    }
}
