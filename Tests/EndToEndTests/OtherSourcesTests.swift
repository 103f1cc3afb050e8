import Foundation
import PlatformWire
import Subprocess
import SystemPackage
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.timeLimit(.minutes(10))) struct OtherSourcesTests {
        @Test func `a Node.js application, a static site, a directory and a tarball are served`() async throws {
            try await withTemporaryDirectory { directory in
                try await withTestHost(data: directory.appending("data")) { host in
                    try await host.create("node")
                    let node = try await WorkTree(at: directory.appending("node"), sample: "node-hello")
                    let push = try await host.push("node", from: node)
                    try #require(push.status == 0, "\(push)")
                    #expect(try await host.get("node").status == 200)

                    try await host.create("site")
                    let site = try await WorkTree(at: directory.appending("site"), sample: "static-site")
                    let pushed = try await host.push("site", from: site)
                    try #require(pushed.status == 0, "\(pushed)")
                    let page = try await host.get("site")
                    #expect(page.text.contains("<h1>A static site</h1>"), "\(page)")
                    #expect(page.headers["content-type"]?.hasPrefix("text/html") == true, "\(page)")
                    #expect(try await host.get("site", "/style.css").status == 200)
                    #expect(try await host.get("site", "/nothing").status == 404)
                    #expect(try await host.get("site", "/../../../../etc/passwd").status != 200)

                    // Without git.
                    let deploy = try await host.slipway("deploy", "--app", "node", node.path.string)
                    #expect(deploy.status == 0, "\(deploy)")
                    let tarball = directory.appending("site.tar.gz")
                    let packed = try await command(
                        Executable.name("tar"),
                        ["-czf", tarball.string, "-C", site.path.string, "--exclude", ".git", "."])
                    try #require(packed.status == 0, "\(packed)")
                    let deployed = try await host.slipway("deploy", "--app", "site", tarball.string)
                    #expect(deployed.status == 0, "\(deployed)")
                    #expect(try await host.get("site").text.contains("A static site"))
                    #expect(try await host.releases("site").first?.version == 2)
                    let zip = directory.appending("site.zip").string
                    let zipped = try await command(
                        Executable.name("python3"), ["-m", "zipfile", "-c", zip, site.path.string + "/."])
                    try #require(zipped.status == 0, "\(zipped)")
                    let unzipped = try await host.slipway("deploy", "--app", "site", zip)
                    #expect(unzipped.status == 0, "\(unzipped)")
                    #expect(try await host.get("site").text.contains("A static site"))
                    #expect(try await host.releases("site").first?.version == 3)
                    try await self.lookAtFiles(of: "site", host, directory)
                }
            }
        }

        /// What can be asked about the files of releases, as its user does.
        private func lookAtFiles(of name: String, _ host: TestHost, _ directory: FilePath) async throws {
            let archive = directory.appending("exported.tar.gz").string
            let export = try await host.slipway("releases", "export", "v3", "-o", archive, "--app", name)
            #expect(export.status == 0, "\(export)")
            let listing = try await command(Executable.name("tar"), ["-tzf", archive])
            #expect(listing.output.contains("index.html"), "\(listing)")
            let again = try await host.slipway("releases", "export", "v3", "-o", archive, "--app", name)
            #expect(again.status == 64 && again.error.contains("--force"), "\(again)")
            #expect(!FileManager.default.fileExists(atPath: archive + ".part"))

            let pin = try await host.slipway("releases", "pin", "1", "--app", name)
            #expect(pin.output == "v1 is pinned.\n", "\(pin)")
            #expect(try await host.releases(name).map(\.isPinned) == [false, false, true])
            #expect(try await host.slipway("releases", "list", "--app", name).output.contains("pinned"))
            let unpin = try await host.slipway("releases", "unpin", "v1", "--app", name)
            #expect(unpin.status == 0, "\(unpin)")
            let diff = try await host.slipway("releases", "diff", "v3", "--from", "v1", "--app", name)
            #expect(diff.output.contains("0 added, 0 removed, 0 changed"), "\(diff)")

            let slugs: [SlugInfo] = try await host.list("slugs", "list")
            #expect(slugs.flatMap(\.uses).contains { $0.application == name && $0.isLive })
            #expect(try await host.slipway("slugs").output.contains("\(name) v3 (live)"))
            let check = try await host.slipway("slugs", "verify")
            #expect(check.status == 0 && check.output.hasSuffix("sound.\n"), "\(check)")
            let collect = try await host.slipway("slugs", "collect")
            #expect(collect.output.hasPrefix("0 slugs"), "\(collect)")
        }

        @Test func `git clone, fetch, force, delete, other branches and shallow pushes work`() async throws {
            try await withTemporaryDirectory { directory in
                try await withTestHost(data: directory.appending("data")) { host in
                    try await host.create("echo")
                    let tree = try await WorkTree(at: directory.appending("echo"), files: SampleSources.echo)
                    try #require(try await host.push("echo", from: tree).status == 0)

                    let refused = try await tree.git(
                        ["push", "http://any:wrong@\(host.admin)/git/echo.git", "HEAD:refs/heads/main"])
                    #expect(refused.status != 0, "\(refused)")

                    let other = try await tree.git(["push", host.remote("echo"), "HEAD:refs/heads/topic"])
                    #expect(other.status == 0 && other.error.contains("only main deploys"), "\(other)")
                    #expect(try await host.releases("echo").count == 1)

                    for version in ["0", "2"] {
                        let clone = try await tree.git(
                            [
                                "-c", "protocol.version=\(version)", "clone", "-q", host.remote("echo"),
                                directory.appending("clone-\(version)").string,
                            ])
                        #expect(clone.status == 0, "\(clone)")
                        let server = directory.appending("clone-\(version)").appending("server.js")
                        #expect(FileManager.default.fileExists(atPath: server.string))
                    }
                    let delete = try await tree.git(["push", host.remote("echo"), ":refs/heads/topic"])
                    #expect(delete.status == 0, "\(delete)")

                    // History rewritten: refused without force, deployed with it.
                    _ = try await tree.git(["commit", "-q", "--amend", "-m", "rewritten"])
                    let plain = try await tree.git(["push", host.remote("echo"), "HEAD:refs/heads/main"])
                    #expect(plain.status != 0, "\(plain)")
                    let forced = try await tree.git(["push", "--force", host.remote("echo"), "HEAD:refs/heads/main"])
                    #expect(forced.status == 0, "\(forced)")
                    #expect(try await host.releases("echo").first?.version == 2)

                    // A shallow clone knows enough to push.
                    let shallow = directory.appending("shallow")
                    let cloned = try await tree.git([
                        "clone", "-q", "--depth", "1", "file://\(tree.path)", shallow.string,
                    ])
                    try #require(cloned.status == 0, "\(cloned)")
                    let clone = try await WorkTree(at: shallow)
                    try clone.write("note.txt", "from a shallow clone\n")
                    let pushed = try await host.push("echo", from: clone)
                    #expect(pushed.status == 0, "\(pushed)")
                }
            }
        }

        @Test func `a push that is interrupted stops the build and all that it started`() async throws {
            try await withTemporaryDirectory { directory in
                try await withTestHost(data: directory.appending("data")) { host in
                    try await host.create("slow")
                    let marker = directory.appending("started")
                    let tree = try await WorkTree(
                        at: directory.appending("slow"),
                        files: [
                            "package.json":
                                #"{"name":"slow","version":"1.0.0","scripts":{"build":"(sleep 4242 & sleep 4242 & touch \#(marker); wait)"}}"#,
                            "Procfile": "web: node -e 0\n",
                        ])
                    try await tree.commitAll()
                    await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask {
                            // Cancelling the task ends the git client, as Ctrl-C does.
                            _ = try await tree.git(["push", host.remote("slow"), "HEAD:refs/heads/main"])
                        }
                        while !FileManager.default.fileExists(atPath: marker.string) { await Task.yield() }
                        group.cancelAll()
                        while let result = await group.nextResult() { _ = result }
                    }
                    // The end of the build is an event of the journal.
                    var builds = try await host.deployments("slow")
                    while builds.first?.state.isFinal != true { builds = try await host.deployments("slow") }
                    #expect(builds.first?.state == .cancelled, "\(builds)")
                    let left = try await command(Executable.name("pgrep"), ["-f", "sleep 4242"])
                    #expect(left.status == 1, "\(left)")
                }
            }
        }
    }
}
