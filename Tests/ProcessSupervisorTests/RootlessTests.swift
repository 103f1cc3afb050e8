import Foundation
import SystemPackage
import TestSupport
import Testing

/// What a host without rights can do: the same tests once more, run by a user who has none.
///
/// Namespaces that such a user makes are not those of root with less in it: the kernel has other rules for nearly each step.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: getuid() == 0, "others than root are that user themselves"))
struct RootlessTests {
    /// Nobody has it.
    private static let user: UInt32 = 65_502

    @Test(arguments: [
        "ProcessSupervisorTests.LauncherConformanceTests/.*sandbox.launcher.keeps.its.promises.without",
        "ProcessSupervisorTests.LauncherConformanceTests/.*OCI.launcher.keeps.its.promises.without",
        "ProcessSupervisorTests.OCILauncherTests",
        "ProcessSupervisorTests.OneOffTerminalTests/.*has.a.name.in.a.container",
        "PlatformKitTests.ApplicationStorageTests/.*may.not.change.is.removed",
    ])
    func `a user without rights has it, too`(tests: String) async throws {
        try await withTemporaryDirectory { directory in
            let own = directory.appending("own").string
            try FileManager.default.createDirectory(
                atPath: own, withIntermediateDirectories: true,
                attributes: [.ownerAccountID: Self.user, .groupOwnerAccountID: Self.user])
            let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/setpriv")
            process.arguments =
                ["--reuid", "\(Self.user)", "--regid", "\(Self.user)", "--clear-groups", program]
                + ["--testing-library", "swift-testing", "--no-parallel", "--filter", tests]
            // Nothing may be skipped there, for it is not skipped here.
            process.environment = ["PATH": "/usr/local/bin:/usr/bin:/bin", "TMPDIR": own, "HOME": own, "CI": "true"]
            process.currentDirectoryURL = URL(filePath: own)
            let output = Pipe()
            (process.standardOutput, process.standardError) = (output, output)
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            let summary = text.split(separator: "\n").last { $0.contains("Test run with") } ?? "nothing was run"
            let hasRun = summary.contains("passed") && !summary.contains("with 0 tests") && !text.contains("skipped")
            #expect(process.terminationStatus == 0 && hasRun, "\(text.suffix(8_000))")
        }
    }
}
