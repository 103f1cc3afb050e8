internal import Synchronization

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// The log of one application: numbers its lines, keeps the newest, hands them to readers and to the disk.
final class ApplicationLog: Sendable {
    /// Lines that the disk has yet to take.
    struct Pending {
        var lines: [LogLine] = []
        var bytes = 0
        /// Lines that found no room here since the last flush.
        var dropped = 0
        var lastDropped: LogLine?
    }

    private struct State {
        var nextSequence: UInt64
        var ring: LogRing
        var redactor: LogRedactor?
        var tails: [TailBuffer] = []
        var pending = Pending()
        var removed = false
    }

    private let configuration: LogHub.Configuration
    private let state: Mutex<State>

    init(configuration: LogHub.Configuration, firstSequence: UInt64, lines: [LogLine] = []) {
        self.configuration = configuration
        var ring = LogRing(maxLines: configuration.linesPerApplication, maxBytes: configuration.bytesPerApplication)
        for line in lines { ring.append(line) }
        self.state = Mutex(State(nextSequence: firstSequence, ring: ring))
    }

    /// Adds entries; `false` when the application has been removed in the meantime.
    func append(_ entries: [LogEntry]) -> Bool {
        // Redacting and splitting is the expensive part and needs no lock.
        let redactor = self.state.withLock { $0.redactor }
        var lines: [LogLine] = []
        lines.reserveCapacity(entries.count)
        for entry in entries {
            let text = redactor?.redact(entry.text) ?? entry.text
            let process = entry.process.map(LogText.processName)
            for text in LogText.lines(text, limit: self.configuration.lineBytes) {
                lines.append(
                    LogLine(
                        sequence: 0, timestamp: entry.timestamp, source: entry.source, process: process, text: text))
            }
        }
        return self.state.withLock { state in
            guard !state.removed else { return false }
            for index in lines.indices {
                lines[index].sequence = state.nextSequence
                state.nextSequence += 1
                state.ring.append(lines[index])
                if self.configuration.directory != nil { self.enqueue(lines[index], &state.pending) }
            }
            // Within the lock, so that every reader sees the order of the sequence numbers; it takes no more than a push.
            for tail in state.tails { tail.append(lines) }
            return true
        }
    }

    func recent(_ limit: Int, filter: LogFilter) -> [LogLine] {
        self.state.withLock { $0.ring.last(limit, filter: filter) }
    }

    /// A reader that begins with the last lines; `nil` when the application has been removed in the meantime.
    func tail(last: Int, after: UInt64, filter: LogFilter) -> LogSubscription? {
        self.state.withLock { state in
            guard !state.removed else { return nil }
            guard state.tails.count < self.configuration.tailsPerApplication else {
                let notice = LogLine(
                    sequence: state.nextSequence - 1,
                    timestamp: state.ring.last(1, filter: .all).first?.timestamp ?? .distantPast,
                    source: .platform, text: "… too many readers of this log; try again later")
                let buffer = TailBuffer(filter: filter, limit: 1, backlog: [notice], finished: true)
                return LogSubscription(buffer: buffer, log: nil)
            }
            let backlog = state.ring.last(last, after: after, filter: filter)
            let buffer = TailBuffer(filter: filter, limit: self.configuration.tailLines, backlog: backlog)
            state.tails.append(buffer)
            return LogSubscription(buffer: buffer, log: self)
        }
    }

    func unsubscribe(_ buffer: TailBuffer) {
        self.state.withLock { $0.tails.removeAll { $0 === buffer } }
    }

    func setRedactor(_ redactor: LogRedactor?) {
        self.state.withLock { $0.redactor = redactor }
    }

    func redacted(_ text: String) -> String {
        self.state.withLock { $0.redactor }?.redact(text) ?? text
    }

    /// Ends all readers; nothing can be appended any more.
    func remove() {
        let tails = self.state.withLock { state in
            state.removed = true
            state.pending = Pending()
            defer { state.tails = [] }
            return state.tails
        }
        for tail in tails { tail.finish() }
    }

    /// The lines for the disk, which from now on are the caller's to write or to give back.
    func takePending() -> [LogLine] {
        let pending = self.state.withLock { state in
            defer { state.pending = Pending() }
            return state.pending
        }
        guard let last = pending.lastDropped else { return pending.lines }
        let text = "… \(pending.dropped) lines were not kept on disk"
        let notice = LogLine(sequence: last.sequence, timestamp: last.timestamp, source: .platform, text: text)
        return pending.lines + [notice]
    }

    /// Takes back lines that could not be written.
    func returnPending(_ lines: ArraySlice<LogLine>) {
        self.state.withLock { state in
            guard !state.removed else { return }
            var pending = Pending()
            for line in lines { self.enqueue(line, &pending) }
            for line in state.pending.lines { self.enqueue(line, &pending) }
            pending.dropped += state.pending.dropped
            pending.lastDropped = state.pending.lastDropped ?? pending.lastDropped
            state.pending = pending
        }
    }

    /// Newer lines find no room rather than older ones losing theirs, so that what is on disk has its gap at the end.
    private func enqueue(_ line: LogLine, _ pending: inout Pending) {
        let bytes = line.text.utf8.count + LogRecord.overhead
        guard pending.lastDropped == nil, pending.bytes + bytes <= self.configuration.pendingBytes else {
            pending.dropped += 1
            pending.lastDropped = line
            return
        }
        pending.bytes += bytes
        pending.lines.append(line)
    }
}
