import BuildpackKit
import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct LeftBehindTests {
    @Test func `kills the builds that a killed host left, and no others`() async throws {
        try await withTemporaryDirectory { directory in
            let left = try Self.sleep(in: directory.appending("builds/one/tmp"), mark: "SLIPWAY_BUILD_COMMAND")
            let others = [
                try Self.sleep(in: directory.appending("builds2/one/tmp"), mark: "SLIPWAY_BUILD_COMMAND"),
                try Self.sleep(in: directory.appending("builds/one/tmp"), mark: "SOMETHING_ELSE"),
            ]
            // Not by SIGTERM, which the threads of a test run may have blocked for their children.
            defer { for process in others { kill(process.processIdentifier, SIGKILL) } }
            await HostBuildSandbox.killLeftBehind(below: directory.appending("builds"))
            left.waitUntilExit()
            #expect(left.terminationReason == .uncaughtSignal)
            #expect(left.terminationStatus == 9)
            for process in others { #expect(process.isRunning) }
        }
    }

    private static func sleep(in directory: FilePath, mark: String) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sleep")
        process.arguments = ["300"]
        process.environment = [mark: "1", "TMPDIR": directory.string]
        try process.run()
        return process
    }
}
