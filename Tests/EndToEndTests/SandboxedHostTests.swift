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

        @Test
        func `without a sandbox, users of their own keep applications from each other and from the platform's data`()
            async throws
        {
            try await withTemporaryDirectory { directory in
                // As a directory of data is reached on a machine: others may go through what is above it.
                try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: directory.string)
                let data = directory.appending("data")
                let arguments = ["--isolation", "host", "--application-users", "210000-210009"]
                try await withTestHost(data: data, arguments: arguments) { host in
                    var users: Set<String> = []
                    for name in ["one", "two"] {
                        try await host.create(name)
                        let site = try await WorkTree(at: directory.appending(name), sample: "static-site")
                        let push = try await host.push(name, from: site)
                        try #require(push.status == 0, "\(push)")
                        #expect(try await host.get(name).text.contains("<h1>A static site</h1>"))
                        let script = """
                            id -u; echo kept > $SLIPWAY_STORAGE/file; cat $SLIPWAY_STORAGE/file
                            for file in $(ls -d \(data) \(data)/* \(data)/storage/* /proc/[0-9]*/environ); do
                                test -r $file && grep -l . $file
                            done
                            ls \(data) || ls \(data)/storage || ls \(data)/slugs || ls \(data)/logs || echo closed
                            cat \(data)/slipway.db \(data)/secret.key \(data)/admin-token || echo sealed
                            kill -CONT \(host.pid) || echo untouched
                            """
                        let run = try await host.slipway("run", "--app", name, "--", "sh", "-c", script)
                        let lines = run.output.split(separator: "\n").filter {
                            !$0.contains(": ") && !$0.hasPrefix("/proc/")
                        }
                        let user = try #require(lines.first)
                        #expect(Int(user).map((210_000...210_009).contains) == true, "\(run)")
                        #expect(users.insert(String(user)).inserted, "\(user) is another's")
                        #expect(lines.dropFirst() == ["kept", "closed", "sealed", "untouched"], "\(run)")
                    }
                    // What one keeps is not the other's to read, were its name known.
                    let stored = try FileManager.default.contentsOfDirectory(atPath: data.appending("storage").string)
                    #expect(stored.count == 2)
                    let all = stored.map { data.appending("storage").appending($0).appending("file").string }
                    let run = try await host.slipway(
                        ["run", "--app", "two", "--", "sh", "-c", "cat \(all.joined(separator: " ")) | grep -c kept"])
                    #expect(run.output.split(separator: "\n").contains("1"), "\(run)")
                }
            }
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
                        id -u > /dev/stdout
                        """
                    let run = try await host.slipway("run", "--app", "site", "--", "sh", "-c", script)
                    let lines = run.output.split(separator: "\n").filter { !$0.contains(": ") }
                    #expect(lines.dropLast() == ["index.html", "x", "hidden", "changed"], "\(run)")
                    #expect(lines.last.flatMap { Int($0) }.map((200_000...265_535).contains) == true, "\(run)")
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
