internal import BuildpackKit
internal import MetricsCore
internal import Synchronization
internal import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Writes each line of a deployment to whoever waits, to the application's log and to the deployment's record at once.
///
/// When whoever waits has gone, it calls `abandoned` once and goes on writing to the other two.
final class DeploymentLog: BuildLog, Sendable {
    private let applicationID: String
    private let hub: LogHub
    private let output: any ProgressOutput
    private let abandoned: @Sendable () -> Void
    private let file: FileDescriptor?
    private let state: Mutex<(remaining: Int, isAbandoned: Bool)>

    /// - Parameter byteLimit: how much the record may grow to; what is beyond is said to be left out.
    init(
        applicationID: String, hub: LogHub, output: any ProgressOutput, path: FilePath, byteLimit: Int,
        abandoned: @escaping @Sendable () -> Void
    ) {
        self.applicationID = applicationID
        self.hub = hub
        self.output = output
        self.abandoned = abandoned
        self.state = Mutex((byteLimit, false))
        self.file = try? FileDescriptor.open(
            path, .writeOnly, options: [.create, .append], permissions: [.ownerReadWrite])
    }

    deinit { try? self.file?.close() }

    func write(_ line: String) async {
        await self.write(line, source: .build)
    }

    func write(_ line: String, source: LogSource) async {
        // A build may print what it is given, and more people may read its record than the config.
        let line = self.hub.redacted(line, for: self.applicationID)
        self.hub.append(
            [LogEntry(timestamp: Date(), source: source, process: nil, text: line)], to: self.applicationID)
        self.record(line)
        guard !self.state.withLock({ $0.isAbandoned }) else { return }
        do {
            try await self.output.line(line)
        } catch {
            let isFirst = self.state.withLock { state in
                defer { state.isAbandoned = true }
                return !state.isAbandoned
            }
            if isFirst { self.abandoned() }
        }
    }

    private func record(_ line: String) {
        var bytes = Array((line + "\n").utf8)
        let (before, after) = self.state.withLock { state in
            defer { state.remaining -= bytes.count }
            return (state.remaining, state.remaining - bytes.count)
        }
        guard before >= 0, let file = self.file else { return }
        if after < 0 { bytes = Array(" !     The rest of the output is left out: this record is full.\n".utf8) }
        _ = try? file.writeAll(bytes)
    }
}
