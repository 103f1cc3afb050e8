import Foundation
import PlatformWire
import SystemPackage
import TestSupport
import Testing

extension EndToEnd {
    /// A host whose instances have networks of their own.
    @Suite(.timeLimit(.minutes(5)), .enabled(if: getuid() == 0, "it takes root to make networks"))
    struct OwnNetworkTests {
        /// The host's ends of links to instances with addresses of a range of 256.
        private static func links(_ third: Int) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: "/sys/class/net")
                .filter { $0.hasPrefix("swy0ad5" + (third < 16 ? "0" : "") + String(third, radix: 16)) }
        }

        /// Says from within an application's network whether something is reached.
        private static func reaches(_ address: String, from host: TestHost) async throws -> Bool {
            let place = address.split(separator: ":").joined(separator: "/")
            let run = try await host.slipway(
                "run", "--app", "echo", "--", "bash", "-c", "exec 3<>/dev/tcp/\(place) && echo reached; true")
            try #require(run.status == 0, "\(run)")
            return run.output.contains("reached")
        }

        @Test func `applications are served at addresses of their own, found again, and leave no link`() async throws {
            let third = Int.random(in: 1...255)
            let arguments = ["--isolation", "sandbox", "--network", "own", "--network-range", "10.213.\(third).0/24"]
            try await withTemporaryDirectory { directory in
                let data = directory.appending("data")
                let pids = try await withTestHost(data: data, arguments: arguments, killed: true) { host in
                    try await host.create("echo")
                    let tree = try await WorkTree(at: directory.appending("echo"), files: SampleSources.echo)
                    let push = try await host.push("echo", from: tree)
                    try #require(push.status == 0, "\(push)")
                    let scale = try await host.slipway("ps", "scale", "--app", "echo", "web=2")
                    try #require(scale.status == 0, "\(scale)")
                    let set = try await host.slipway("config", "set", "--app", "echo", "GREETING=again")
                    try #require(set.status == 0, "\(set)")
                    #expect(try await host.get("echo").text == "hello again")
                    let back = try await host.slipway("releases", "rollback", "--app", "echo")
                    try #require(back.status == 0, "\(back)")
                    #expect(try await host.get("echo").text == "hello world")

                    // Its own site, which is served by this program.
                    try await host.create("site")
                    let site = try await WorkTree(at: directory.appending("site"), sample: "static-site")
                    let other = try await host.push("site", from: site)
                    try #require(other.status == 0, "\(other)")
                    #expect(try await host.get("site").text.contains("<h1>A static site</h1>"))

                    let instances = try await host.instances("echo")
                    #expect(instances.map(\.state) == ["ready", "ready"])
                    #expect(Set(instances.map(\.port)).count == 1, "the same port")
                    #expect(try Self.links(third).count >= 3)

                    // Neither the administration nor the router, which listen on the loopback alone, nor an instance.
                    let port = host.admin.split(separator: ":")[1]
                    for address in [host.admin, "10.213.\(third).1:\(port)", host.http] {
                        #expect(try await !Self.reaches(address, from: host), "\(address)")
                    }
                    kill(host.pid, SIGKILL)
                    return instances.compactMap(\.pid)
                }
                #expect(pids.count == 2 && pids.allSatisfy(isAlive))
                try await withTestHost(data: data, arguments: arguments) { host in
                    #expect(try await Set(host.instances("echo").compactMap(\.pid)) == Set(pids), "the same processes")
                    #expect(try await host.get("echo").text == "hello world")
                    let destroy = try await host.slipway("apps", "destroy", "--confirm", "echo")
                    #expect(destroy.status == 0, "\(destroy)")
                    while pids.contains(where: isAlive) { await Task.yield() }
                    // The site's is left, and then none.
                    while try Self.links(third).count > 1 { await Task.yield() }
                }
                while try !Self.links(third).isEmpty { await Task.yield() }
            }
        }
    }
}
