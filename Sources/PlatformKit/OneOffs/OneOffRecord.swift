internal import PlatformWire
internal import Synchronization

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// A one-off that runs.
struct OneOffRecord: Sendable {
    var workload: WorkloadRequest
    var request: OneOffRequest
    var author: String
    var startedAt: Date
    var timeout: Duration
    var sink: OneOffSink
    let ending = CancellationSwitch()

    var info: OneOffInfo {
        OneOffInfo(
            name: self.workload.name, command: self.request.command, release: self.workload.release,
            author: self.author, startedAt: self.startedAt, isAttached: self.sink.isAttached,
            hasTerminal: self.request.terminal != nil, size: self.workload.size.name,
            endsAt: self.startedAt.addingTimeInterval(Double(self.timeout.components.seconds)))
    }
}

/// Where a one-off's output goes: to its client, or to the application's log.
final class OneOffSink: Sendable {
    typealias Client = @Sendable ([UInt8]) async throws -> Void

    private let client: Mutex<Client?>
    private let keeps: Bool
    private let log: @Sendable ([String]) -> Void
    private let splitter = LineSplitter()

    /// - Parameter keeps: whether it goes on in the log when its client has gone.
    init(client: Client?, keeps: Bool, log: @escaping @Sendable ([String]) -> Void) {
        self.client = Mutex(client)
        self.keeps = keeps
        self.log = log
    }

    var isAttached: Bool { self.client.withLock { $0 != nil } }

    /// Throws when the client has gone and it is not to go on without.
    func take(_ bytes: [UInt8]) async throws {
        if let client = self.client.withLock({ $0 }) {
            do {
                return try await client(bytes)
            } catch {
                guard self.keeps else { throw error }
                self.detach()
            }
        }
        self.log(self.splitter.add(bytes))
    }

    /// From now on, the log gets what comes.
    func detach() { self.client.withLock { $0 = nil } }

    /// The last line, if it has no end.
    func finish() -> [String] { self.splitter.finish() }
}
