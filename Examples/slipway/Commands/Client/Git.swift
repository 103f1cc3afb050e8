import Foundation
import PlatformClient
import PlatformWire
import Subprocess
import SystemPackage

/// The user's own git, for the few settings that `slipway apps` makes in a work tree.
struct Git {
    let workTree: WorkTree
    let terminal: Terminal

    /// Lets `git push slipway` lead to the application: the remote, and the helper that gives git the access token, so that
    /// the token itself is written nowhere. Without git, the commands are printed.
    func connect(to application: ApplicationInfo, host: HostOptions) async {
        let hasRemote = self.workTree.application != nil
        await self.run(
            ["remote", hasRemote ? "set-url" : "add", WorkTree.remoteName, application.gitURL],
            saying: "git remote `\(WorkTree.remoteName)` leads to \(application.gitURL)")
        guard let origin = Self.origin(of: application.gitURL) else { return }
        await self.run(["config", "--local", "credential.\(origin).helper", self.helper(host)], saying: nil)
    }

    private func run(_ arguments: [String], saying message: String?) async {
        let shown = "git " + arguments.map(Self.quoted).joined(separator: " ")
        do {
            let result = try await Subprocess.run(
                .name("git"), arguments: Arguments(["-C", self.workTree.root.string] + arguments), output: .discarded,
                error: .string(limit: 4096))
            if case .exited(0) = result.terminationStatus {
                if let message { self.terminal.note(message) }
            } else {
                let reason = result.standardError.split(whereSeparator: \.isNewline).first ?? "it failed"
                self.terminal.note("`\(shown)` did not work: \(TerminalText.line(reason))")
            }
        } catch {
            self.terminal.note("git was not found. Once it is there, run: \(shown)")
        }
    }

    /// The credential helper: this program, told what the user told it, with paths that hold from any directory.
    private func helper(_ host: HostOptions) -> String {
        let directory = FilePath(FileManager.default.currentDirectoryPath)
        let program = CommandLine.arguments.first ?? "slipway"
        let path = program.contains("/") ? directory.pushing(FilePath(program)).lexicallyNormalized().string : program
        let data = host.data ?? ProcessInfo.processInfo.environment["SLIPWAY_DATA"] ?? ClientSettings.defaultData
        return "!\(Self.quoted(path)) git-credential --data "
            + Self.quoted(directory.pushing(FilePath(data)).lexicallyNormalized().string)
    }

    /// `http://127.0.0.1:8081` of an address below it.
    private static func origin(of url: String) -> String? {
        guard let scheme = url.range(of: "://") else { return nil }
        return String(url[..<scheme.upperBound] + url[scheme.upperBound...].prefix { $0 != "/" })
    }

    /// The word as a shell reads it back.
    private static func quoted(_ word: String) -> String {
        let isPlain = word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_./:=@,+".contains($0)) }
        return isPlain && !word.isEmpty ? word : "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
    }
}
