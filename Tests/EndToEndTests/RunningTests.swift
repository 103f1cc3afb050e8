import Foundation
import PlatformWire
import Subprocess
import SystemPackage
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(10))) struct RunningTests {
        @Test func `config, scale, restart, run, logs, rollback: what people do every day`() async throws {
            try await withTemporaryDirectory { directory in
                try await withTestHost(data: directory.appending("data")) { host in
                    try await host.create("echo")
                    let tree = try await WorkTree(at: directory.appending("echo"), files: SampleSources.echo)
                    let push = try await host.push("echo", from: tree)
                    try #require(push.status == 0, "\(push)")
                    #expect(push.error.contains("Node.js application detected"), "\(push)")
                    let first = try await host.get("echo")
                    #expect(first.text == "hello world")
                    #expect(first.headers["x-release"] == "v1")

                    // A config variable is a release.
                    let set = try await host.slipway("config", "set", "--app", "echo", "GREETING=moon")
                    try #require(set.status == 0, "\(set)")
                    let second = try await host.get("echo")
                    #expect(second.text == "hello moon")
                    #expect(second.headers["x-release"] == "v2")
                    let value = try await host.slipway("config", "get", "--app", "echo", "GREETING")
                    #expect(value.output == "moon\n")

                    // Scale, and see all of them.
                    let scale = try await host.slipway("ps", "scale", "--app", "echo", "web=2", "worker=1")
                    try #require(scale.status == 0, "\(scale)")
                    let instances = try await host.instances("echo")
                    #expect(instances.map(\.name).sorted() == ["web.1", "web.2", "worker.1"])
                    #expect(instances.allSatisfy { $0.state == "ready" }, "\(instances)")

                    // A size is a limit for each; those of another are replaced, and it is kept.
                    let resize = try await host.slipway("ps", "scale", "--app", "echo", "worker=:small", "web=2:large")
                    try #require(resize.status == 0, "\(resize)")
                    let resized = try await host.instances("echo").filter { $0.state == "ready" }
                    #expect(resized.filter { $0.name == "worker.1" }.map(\.size) == ["small"], "\(resized)")
                    #expect(resized.filter { $0.isRouted }.map(\.size) == ["large", "large"], "\(resized)")
                    let unknown = try await host.slipway("ps", "scale", "--app", "echo", "web=:gigantic")
                    #expect(unknown.status == 1 && unknown.error.contains("there are: small, medium"), "\(unknown)")

                    // A restart replaces the processes.
                    let before = Set(resized.compactMap(\.pid))
                    let restart = try await host.slipway("ps", "restart", "--app", "echo", "web")
                    try #require(restart.status == 0, "\(restart)")
                    let after = try await host.instances("echo").filter { $0.isRouted }
                    #expect(after.count == 2)
                    #expect(after.allSatisfy { !before.contains($0.pid ?? 0) }, "\(after)")

                    // One-offs carry their exit status, and their output in order.
                    let ok = try await host.slipway(
                        "run", "--app", "echo", "--", "node", "-e", "console.log(process.env.GREETING)")
                    #expect(ok.status == 0 && ok.output == "moon\n", "\(ok)")
                    let bad = try await host.slipway(
                        "run", "--app", "echo", "--", "sh", "-c", "echo out; echo err >&2; exit 37")
                    #expect(bad.status == 37, "\(bad)")
                    #expect(bad.output == "out\nerr\n", "\(bad)")

                    // At a terminal they have one of their own; `script` is one for the client.
                    let shell = try await command(
                        .path("/usr/bin/script"),
                        [
                            "-qec",
                            "stty rows 33 cols 77; '\(TestHost.executable)' run --app echo -- "
                                + "sh -c 'tty; stty size; exit 7'; s=$?; stty -a | grep -o ' echo '; exit $s",
                            "/dev/null",
                        ],
                        environment: ["SLIPWAY_URL": "http://\(host.admin)", "SLIPWAY_TOKEN": host.token])
                    #expect(shell.status == 7, "\(shell)")
                    #expect(shell.output.contains("/dev/console") && shell.output.contains("33 77"), "\(shell)")
                    #expect(shell.output.hasSuffix(" echo \r\n"), "the client's own terminal is as before: \(shell)")

                    // Those that run are listed, and can be ended.
                    let background = try await host.slipway("run", "--detach", "--app", "echo", "--", "sleep", "4242")
                    try #require(background.status == 0, "\(background)")
                    let list = try await host.slipway("run", "--list", "--app", "echo")
                    let name = try #require(list.output.split(separator: "\n").last?.split(separator: " ").first)
                    #expect(list.output.contains("sleep 4242"), "\(list)")
                    let stop = try await host.slipway("ps", "stop", "--app", "echo", String(name))
                    #expect(stop.status == 0, "\(stop)")
                    while try await host.slipway("run", "--list", "--app", "echo").output.contains("sleep 4242") {}

                    // Rollback is one step, to what was live before, with its config.
                    let back = try await host.slipway("releases", "rollback", "--app", "echo")
                    try #require(back.status == 0, "\(back)")
                    #expect(try await host.get("echo").text == "hello world")
                    let releases = try await host.slipway("releases", "list", "--app", "echo", "--json")
                    #expect(releases.output.contains("Rollback to v1"), "\(releases)")

                    let logs = try await host.slipway("logs", "--app", "echo", "-n", "500")
                    #expect(logs.output.contains("app[web.1]: listening as"), "\(logs)")
                    #expect(logs.output.contains("app[worker.1]: working as"), "\(logs)")
                    #expect(logs.output.contains("build"), "\(logs)")

                    let metrics = try await host.metricsText()
                    #expect(metrics.contains(#"slipway_requests_total{app="echo",status="2xx"}"#), "\(metrics)")
                    #expect(metrics.contains("slipway_request_duration_seconds_bucket"), "\(metrics)")

                    // What a destroyed application leaves: nothing.
                    let detached = try await host.slipway("run", "--detach", "--app", "echo", "--", "sleep", "4243")
                    #expect(detached.status == 0, "\(detached)")
                    let destroy = try await host.slipway("apps", "destroy", "--confirm", "echo")
                    #expect(destroy.status == 0, "\(destroy)")
                    #expect(try await host.get("echo").status == 404)
                    #expect(try await host.metricsText().contains(#"app="echo""#) == false)
                    // The end of the command is not waited for by whoever destroys.
                    while try !processes(of: host.data).isEmpty {}
                }
            }
        }
    }
}
