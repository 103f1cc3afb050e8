import Foundation
import SystemPackage
import TestSupport
import Testing

extension EndToEnd {
    /// A host that was to have the strongest isolation, on a machine on which that ceases to work: what is to be shown in
    /// sandboxes is gone.
    @Suite(.timeLimit(.minutes(5)), .enabled(if: getuid() == 0, "not every system lets others make namespaces"))
    struct KeptIsolationTests {
        @Test func `neither a host whose upgrade failed nor a new one runs anything in a weaker one`() async throws {
            try await self.withScene { scene in
                try await withTestHost(data: scene.data, arguments: scene.arguments) { host in
                    try await scene.deploy(host)
                    // A new host that ends when the old one has ended all but its router.
                    let program = scene.directory.appending("slipway")
                    let script = "#!/bin/sh\necho prepared >&3; read word <&3; rmdir '\(scene.shown)'; exit 4\n"
                    try Data(script.utf8).write(to: URL(filePath: program.string))
                    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.string)
                    let upgrade = try await host.slipway(
                        "upgrade", "--data", host.data.string, "--program", program.string)
                    #expect(upgrade.status == 1 && upgrade.error.contains("this one goes on"), "\(upgrade)")
                    try await scene.checkThatNothingIsStarted(host)
                    // One that finds it broken does not take over.
                    let next = try await host.slipway("upgrade", "--data", host.data.string)
                    #expect(next.status == 1 && next.error.contains("this one goes on"), "\(next)")
                    try await scene.checkThatNothingIsStarted(host)
                    try await scene.checkThatItIsMended(host)
                }
            }
        }

        @Test func `a host that is started serves what runs, and starts nothing until it works again`() async throws {
            try await self.withScene { scene in
                try await withTestHost(data: scene.data, arguments: scene.arguments, killed: true) { host in
                    try await scene.deploy(host)
                    kill(host.pid, SIGKILL)
                }
                try FileManager.default.removeItem(atPath: scene.shown.string)
                try await withTestHost(data: scene.data, arguments: scene.arguments) { host in
                    try await scene.checkThatNothingIsStarted(host)
                    try await scene.checkThatItIsMended(host)
                }
                // Whoever says so has less.
                let arguments = ["--isolation", "host"]
                try await withTestHost(data: scene.data, arguments: arguments) { host in
                    let run = try await host.slipway(["run", "--app", "echo", "--"] + scene.question)
                    #expect(run.output.contains("open"), "\(run)")
                }
            }
        }

        private func withScene(_ body: (Scene) async throws -> Void) async throws {
            try await withTemporaryDirectory { directory in
                let scene = Scene(directory: directory)
                try FileManager.default.createDirectory(
                    atPath: scene.shown.string, withIntermediateDirectories: false)
                try await body(scene)
            }
        }

        private struct Scene: Sendable {
            let directory: FilePath
            var data: FilePath { self.directory.appending("data") }
            var shown: FilePath { self.directory.appending("shown") }
            var arguments: [String] { ["--show", self.shown.string] }
            /// Answered by what can see the platform's data, and by what cannot.
            var question: [String] { ["sh", "-c", "test -e \(self.data)/secret.key && echo open || echo closed"] }

            func deploy(_ host: TestHost) async throws {
                try await host.create("echo")
                let tree = try await WorkTree(at: self.directory.appending("echo"), files: SampleSources.echo)
                let push = try await host.push("echo", from: tree)
                try #require(push.status == 0, "\(push)")
            }

            func checkThatNothingIsStarted(_ host: TestHost) async throws {
                #expect(try await host.get("echo").status == 200)
                let run = try await host.slipway(["run", "--app", "echo", "--"] + self.question)
                #expect(run.status != 0 && run.error.contains(self.shown.string), "\(run)")
                let scale = try await host.slipway("ps", "scale", "--app", "echo", "worker=1")
                #expect(scale.status != 0 && "\(scale)".contains(self.shown.string), "\(scale)")
            }

            func checkThatItIsMended(_ host: TestHost) async throws {
                try FileManager.default.createDirectory(atPath: self.shown.string, withIntermediateDirectories: false)
                let run = try await host.slipway(["run", "--app", "echo", "--"] + self.question)
                #expect(run.output.contains("closed"), "\(run)")
                let scale = try await host.slipway("ps", "scale", "--app", "echo", "worker=1")
                #expect(scale.status == 0, "\(scale)")
            }
        }
    }
}
