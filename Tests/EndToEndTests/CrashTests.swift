import Foundation
import PlatformWire
import SystemPackage
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(15))) struct CrashTests {
        @Test func `instances outlive a kill of the host and are adopted by the next`() async throws {
            try await withTemporaryDirectory { directory in
                let data = directory.appending("data")
                let pids = try await withTestHost(data: data, killed: true) { host in
                    try await host.create("echo")
                    let tree = try await WorkTree(at: directory.appending("echo"), files: SampleSources.echo)
                    let push = try await host.push("echo", from: tree)
                    try #require(push.status == 0, "\(push)")
                    let scale = try await host.slipway("ps", "scale", "--app", "echo", "web=2", "worker=1")
                    try #require(scale.status == 0, "\(scale)")
                    let pids = try await host.instances("echo").map { ($0.name, $0.pid) }.sorted { $0.0 < $1.0 }
                    kill(host.pid, SIGKILL)
                    return pids.compactMap(\.1)
                }
                try #require(pids.count == 3)
                #expect(pids.allSatisfy(isAlive))
                // One ends while nobody looks.
                kill(pids[2], SIGKILL)
                try await withTestHost(data: data) { host in
                    let found = try await host.instances("echo").sorted { $0.name < $1.name }
                    #expect(found.map(\.name) == ["web.1", "web.2", "worker.1"])
                    #expect(found.prefix(2).compactMap(\.pid) == Array(pids.prefix(2)), "the same processes: \(found)")
                    #expect(found.last?.pid != pids[2], "a new one for the one that ended: \(found)")
                    let answer = try await host.get("echo")
                    #expect(answer.text == "hello world", "\(answer)")
                    let logs = try await host.slipway("logs", "--app", "echo", "-n", "1000")
                    #expect(logs.output.contains("Adopted pid \(pids[0])"), "\(logs)")
                    #expect(logs.output.contains("listening as"), "what was said before is still there: \(logs)")

                    // What an adopted one does next is noticed as if nothing had happened.
                    kill(pids[1], SIGKILL)
                    var second = try await host.instances("echo").first { $0.name == "web.2" }
                    while second?.restarts == 0 || second?.state != "ready" {
                        second = try await host.instances("echo").first { $0.name == "web.2" }
                    }
                    #expect(second?.pid != pids[1])
                    #expect(second?.lastExit?.contains("SIGKILL") == true, "\(String(describing: second))")
                }
                #expect(!pids.contains(where: isAlive))
                let left = try processes(of: data)
                #expect(left.isEmpty)
            }
        }

        @Test func `killed among starts, nothing runs twice and nothing is forgotten`() async throws {
            try await withTemporaryDirectory { directory in
                let data = directory.appending("data")
                let tree = try await WorkTree(at: directory.appending("echo"), files: SampleSources.echo)
                try await withTestHost(data: data, arguments: ["--leave-running"]) { host in
                    try await host.create("echo")
                    let push = try await host.push("echo", from: tree)
                    try #require(push.status == 0, "\(push)")
                }
                for wanted in [4, 8, 12] {
                    try await withTestHost(data: data, killed: true) { host in
                        let before = try await host.instances("echo").count
                        async let scale = host.slipway("ps", "scale", "--app", "echo", "worker=\(wanted)")
                        while try await host.instances("echo").count == before {}
                        kill(host.pid, SIGKILL)
                        _ = try await scale
                    }
                    try await withTestHost(data: data, arguments: ["--leave-running"]) { host in
                        let found = try await host.instances("echo")
                        // Each place once, and each process that there is belongs to a place.
                        #expect(Set(found.map(\.name)).count == found.count, "\(found)")
                        let running = try processes(of: data).filter { $0 != host.pid }
                        #expect(Set(running).isSubset(of: Set(found.compactMap(\.pid))))
                    }
                }
                try await withTestHost(data: data) { _ in }
                let left = try processes(of: data)
                #expect(left.isEmpty)
            }
        }

        @Test(arguments: ["queued", "building", "packaged", "releasing", "rolling-out", "live"])
        func `killed at a step of a deployment, one release is live and all processes are accounted for`(
            step: String
        ) async throws {
            try await withTemporaryDirectory { directory in
                let data = directory.appending("data")
                let tree = try await WorkTree(at: directory.appending("echo"), files: SampleSources.echo)
                try await withTestHost(data: data, arguments: ["--leave-running"]) { host in
                    try await host.create("echo")
                    let push = try await host.push("echo", from: tree)
                    try #require(push.status == 0, "\(push)")
                }
                try await withTestHost(data: data, arguments: ["--kill-at", step], killed: true) { host in
                    try tree.write("server.js", SampleSources.echo["server.js"]! + "\n// changed\n")
                    let push = try await host.push("echo", from: tree)
                    #expect(push.status != 0, "\(push)")
                }
                try await withTestHost(data: data) { host in
                    let releases = try await host.releases("echo").filter(\.isLive)
                    #expect(releases.map(\.version) == [step == "live" ? 2 : 1])
                    let answer = try await host.get("echo")
                    #expect(answer.text == "hello world", "\(answer)")
                    #expect(answer.headers["x-release"] == (step == "live" ? "v2" : "v1"))
                    let deployments = try await host.deployments("echo")
                    #expect(deployments.count == 2)
                    let open = deployments.filter { !$0.state.isFinal }
                    #expect(open.isEmpty)
                    let routed = try await host.instances("echo").filter(\.isRouted)
                    #expect(routed.count == 1)

                    // And the next push works.
                    let push = try await host.push("echo", from: tree)
                    #expect(push.status == 0, "\(push)")
                }
                let left = try processes(of: data)
                #expect(left.isEmpty)
            }
        }
    }
}
