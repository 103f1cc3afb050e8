import Foundation
import SystemPackage
import TestSupport
import Testing

extension EndToEnd {
    /// A host that puts its instances in sandboxes, as it does by default, or in containers.
    @Suite(.timeLimit(.minutes(5)), .enabled(if: getuid() == 0, "not every system lets others make namespaces"))
    struct SandboxedHostTests {
        @Test func `applications are served from sandboxes, in which the platform's data is not to be found`()
            async throws
        {
            try await self.checkServing(arguments: [])
        }

        @Test(.enabled(if: Self.hasRunc, "runc is not installed (package runc)"))
        func `applications are served from containers, in which the platform's data is not to be found`() async throws {
            try await self.checkServing(arguments: ["--isolation", "oci"])
        }

        /// Where nothing may be skipped, it is not asked.
        private static var hasRunc: Bool {
            ProcessInfo.processInfo.environment["CI"] == "true"
                || ["/usr/sbin/runc", "/usr/bin/runc"].contains { FileManager.default.isExecutableFile(atPath: $0) }
        }

        private func checkServing(arguments: [String]) async throws {
            try await withTemporaryDirectory { directory in
                let data = directory.appending("data")
                try await withTestHost(data: data, arguments: arguments) { host in
                    // Served by the host's own program, which is shown for that.
                    try await host.create("site")
                    let site = try await WorkTree(at: directory.appending("site"), sample: "static-site")
                    let push = try await host.push("site", from: site)
                    try #require(push.status == 0, "\(push)")
                    #expect(try await host.get("site").text.contains("<h1>A static site</h1>"))

                    #expect(FileManager.default.fileExists(atPath: data.appending("secret.key").string))
                    let script = """
                        ls index.html && echo x > /tmp/file && cat /tmp/file
                        cat \(data)/secret.key \(directory)/site/index.html || echo hidden
                        echo changed > index.html && cat index.html
                        echo kept > $SLIPWAY_STORAGE/file
                        id -u
                        """
                    let run = try await host.slipway("run", "--app", "site", "--", "sh", "-c", script)
                    let lines = run.output.split(separator: "\n").filter { !$0.contains(": ") }
                    #expect(lines == ["index.html", "x", "hidden", "changed", "200000"], "\(run)")
                    // Of what it wrote, the next one finds what was to stay, and the instance nothing else.
                    let next = try await host.slipway(
                        "run", "--app", "site", "--", "sh", "-c",
                        "cat $SLIPWAY_STORAGE/file; grep -c changed index.html")
                    #expect(next.output.split(separator: "\n").prefix(2) == ["kept", "0"], "\(next)")
                    #expect(try await host.get("site").text.contains("<h1>A static site</h1>"))
                }
                // Nothing of a container outlives a host that stops its instances.
                let bundles = data.appending("containers/bundles").string
                #expect(((try? FileManager.default.contentsOfDirectory(atPath: bundles)) ?? []).isEmpty)
            }
        }
    }
}
