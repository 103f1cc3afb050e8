import ArgumentParser
import PlatformClient
import PlatformWire
import UnixSignals

/// A one-off that this program's terminal, or its standard input and output, belong to while it runs.
struct AttachedRun {
    let session: ClientSession
    let application: String
    var request: OneOffRequest
    let hasTerminal: Bool

    /// A signal that ended the wait.
    private struct Interruption: Error { var signal: UnixSignal }

    /// Returns how it ended; the terminal is then as it was, however it ended. Ends this program with the signal's status
    /// when one comes.
    func run() async throws -> OneOffResult {
        var request = self.request
        if self.hasTerminal { request.terminal = RawTerminal.window ?? TerminalWindow(columns: 80, rows: 24) }
        let final = request
        let raw = self.hasTerminal ? RawTerminal() : nil
        do {
            let result = try await self.untilInterrupted { try await self.attach(final) }
            raw?.restore()
            return result
        } catch let interruption as Interruption {
            raw?.restore()
            throw ExitCode(128 + interruption.signal.number)
        } catch {
            raw?.restore()
            throw error
        }
    }

    private func attach(_ request: OneOffRequest) async throws -> OneOffResult {
        let terminal = self.session.terminal
        var attached = AttachedSession { try terminal.write($0) }
        let input = StandardInput()
        attached.input = { await input.next() }
        guard request.terminal != nil else {
            return try await self.session.api.run(request, of: self.application, session: attached)
        }
        let (windows, feed) = AsyncStream<TerminalWindow>.makeStream(bufferingPolicy: .bufferingNewest(1))
        attached.windows = windows
        let whole = attached
        return try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sigwinch) {
                    if let window = RawTerminal.window { feed.yield(window) }
                }
            }
            return try await self.session.api.run(request, of: self.application, session: whole)
        }
    }

    private func untilInterrupted(
        _ body: @escaping @Sendable () async throws -> OneOffResult
    ) async throws -> OneOffResult {
        try await withThrowingTaskGroup(of: OneOffResult.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await body() }
            group.addTask {
                for await signal in await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup, .sigquit) {
                    throw Interruption(signal: signal)
                }
                throw CancellationError()
            }
            guard let result = try await group.next() else { throw CancellationError() }
            return result
        }
    }
}

extension UnixSignal {
    /// As shells count it.
    fileprivate var number: Int32 {
        switch self {
        case .sighup: 1
        case .sigint: 2
        case .sigquit: 3
        default: 15
        }
    }
}
