internal import GitReceiver
internal import Synchronization

/// Hands pushes to the platform, which the git server was made before.
final class PushRelay: PushHandler {
    private struct Reference: Sendable { weak let platform: Platform? }
    private let reference = Mutex(Reference(platform: nil))

    func attach(_ platform: Platform) {
        self.reference.withLock { $0 = Reference(platform: platform) }
    }

    func receive(_ push: Push, progress: any ProgressWriter) async throws -> PushVerdict {
        guard let platform = self.reference.withLock({ $0.platform }) else {
            return .reject(reason: "the platform has stopped")
        }
        return try await platform.receive(push, progress: progress)
    }
}

/// Shows progress as `remote:` lines.
private struct PushOutput: ProgressOutput {
    let writer: any ProgressWriter

    func line(_ text: String) async throws { try await self.writer.write(text + "\n") }
}

extension Platform {
    /// The branches that deploy.
    private static let deployBranches: Set<String> = ["refs/heads/main", "refs/heads/master"]

    /// Deploys a push to `main` (or `master`); stores any other and says so.
    func receive(_ push: Push, progress: any ProgressWriter) async throws -> PushVerdict {
        guard let update = push.updates.first(where: { Self.deployBranches.contains($0.name) }), let commit = update.new
        else {
            let names = push.updates.filter { $0.new != nil }.map { $0.branchName ?? $0.name }
            if !names.isEmpty {
                try await progress.write("Stored \(names.joined(separator: ", ")); only main deploys\n")
            }
            return .accept
        }
        let principal = Principal(name: push.pusher ?? "somebody", role: .deploy)
        let branch = update.branchName ?? update.name
        let source = DeploymentSource(description: "push of \(commit.prefix(8)) to \(branch)", commit: commit) {
            directory, say in
            let report = try await push.export(commit: commit, to: directory)
            for note in report.notes { try await say(" !     \(note)") }
            if !report.submodules.isEmpty {
                throw PlatformError(
                    .refused,
                    "git submodules are not supported (\(report.submodules.joined(separator: ", "))); add their files to the repository"
                )
            }
        }
        do {
            _ = try await self.deploy(
                source, to: push.repository, by: principal, output: PushOutput(writer: progress))
            return .accept
        } catch {
            return .reject(reason: error.message)
        }
    }
}
