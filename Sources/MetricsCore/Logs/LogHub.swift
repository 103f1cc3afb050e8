internal import Dispatch
public import Logging
internal import Synchronization
internal import SystemPackage

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// One ordered log per application: what its instances write, what the router, builds, releases and the platform say.
///
/// The newest lines are in memory, bounded in number and bytes. With a directory they are also appended to segment files,
/// so that a restart of the host, even a kill, loses at most what was said within the flush interval. They are not synced:
/// a power failure may take some seconds more.
/// Writers never wait: not for readers, not for the disk. What does not fit is dropped, counted, and said to be dropped.
///
/// Run ``run()`` beside the rest of the host when there is a directory.
public final class LogHub: Sendable {
    struct State {
        var logs: [String: ApplicationLog] = [:]
        var refused = 0
        /// What is wrong with the disk, by application.
        var storageFailures: [String: String] = [:]
    }

    /// What ``store(_:)`` has asked for.
    struct Stores {
        /// The applications whose lines will be written, but are not yet.
        var queued: Set<String> = []
        /// The disk has kept somebody waiting for too long, and has not caught up.
        var isSlow = false
    }

    let configuration: Configuration
    let clock: any Clock<Duration>
    private let now: @Sendable () -> Date
    let logger: Logger
    let state: Mutex<State>
    /// Held while files change. Taken before the locks of `state`, never after.
    let disk: Mutex<LogDirectory?>
    /// Writes happen here, where a slow disk blocks no task.
    let queue = DispatchQueue(label: "slipway.log-hub")
    let stores = Mutex(Stores())

    /// Makes a hub and, with a directory, reads the newest lines of every application that has any.
    ///
    /// Files that cannot be read are passed over and named in ``storageFailures``.
    ///
    /// - Parameters:
    ///   - configuration: Sizes and limits.
    ///   - clock: What ``run()`` sleeps on.
    ///   - now: The time of day. Sequence numbers begin with it, so that they grow even if the last lines before a crash
    ///     never reached the disk.
    ///   - logger: Told when trouble with the disk begins and ends, see ``storageFailures``.
    /// - Throws: ``MetricsError`` with the code `storage` when the directory cannot be made or listed, and
    ///   `invalidConfiguration` when a limit is too small to work with.
    public init(
        configuration: Configuration = .init(),
        clock: any Clock<Duration> = ContinuousClock(),
        now: @escaping @Sendable () -> Date = { Date() },
        logger: Logger
    ) throws(MetricsError) {
        try configuration.validate()
        self.configuration = configuration
        self.clock = clock
        self.now = now
        self.logger = logger
        guard let root = configuration.directory else {
            self.disk = Mutex(nil)
            self.state = Mutex(State())
            return
        }
        var state = State()
        do {
            var directory = try LogDirectory(
                root: root, segmentBytes: configuration.segmentBytes,
                applicationBytes: configuration.diskBytesPerApplication)
            for name in try directory.applications().prefix(configuration.maxApplications) {
                var lines: [LogLine] = []
                var last: UInt64 = 0
                do {
                    let loaded = try directory.load(
                        name, limit: configuration.linesPerApplication, bytes: configuration.bytesPerApplication)
                    (lines, last) = (loaded.lines, loaded.lastSequence)
                    for (segment, cause) in loaded.unreadable {
                        state.storageFailures[name] = "\(segment) cannot be read: \(cause)"
                    }
                } catch {
                    state.storageFailures[name] = "the log cannot be read: \(error)"
                }
                if let failure = state.storageFailures[name] {
                    logger.info("log not readable", metadata: ["app.name": "\(name)", "error": "\(failure)"])
                }
                let sequence = Self.firstSequence(now: now(), after: last)
                state.logs[name] = ApplicationLog(configuration: configuration, firstSequence: sequence, lines: lines)
            }
            self.disk = Mutex(directory)
        } catch {
            throw MetricsError(
                .storage, "Cannot keep logs in \(root): make it a directory that this process may write to.",
                cause: error)
        }
        self.state = Mutex(state)
    }

    // MARK: Writing

    /// Adds entries to the application's log, in their order, next to each other. Callable from any thread; never waits.
    public func append(_ entries: [LogEntry], to application: String) {
        guard !entries.isEmpty else { return }
        // A log that is removed between being found and being appended to is looked up again.
        while let log = self.log(application) {
            if log.append(entries) { return }
        }
        self.state.withLock { $0.refused += entries.count }
    }

    /// Adds one entry to the application's log.
    public func append(_ entry: LogEntry, to application: String) {
        self.append([entry], to: application)
    }

    /// Adds one entry to the application's log, with the time of now.
    public func append(_ text: String, source: LogSource, process: String? = nil, to application: String) {
        self.append(LogEntry(timestamp: self.now(), source: source, process: process, text: text), to: application)
    }

    /// Replaces these strings by `[redacted]` in everything that is appended from now on.
    ///
    /// Strings shorter than 6 bytes are left alone. Each line of a secret of several lines is a secret too.
    public func setSecrets(_ secrets: Set<String>, for application: String) {
        self.log(application)?.setRedactor(LogRedactor(secrets: secrets))
    }

    /// A text as the application's log would keep it: without the secrets of ``setSecrets(_:for:)``.
    public func redacted(_ text: String, for application: String) -> String {
        self.state.withLock { $0.logs[application] }?.redacted(text) ?? text
    }

    // MARK: Reading

    /// The last `limit` lines that pass `filter`, oldest first.
    public func recent(_ application: String, limit: Int, filter: LogFilter = .all) -> [LogLine] {
        self.state.withLock { $0.logs[application] }?.recent(limit, filter: filter) ?? []
    }

    /// The last `last` lines that pass `filter`, then every new one that does; see ``LogTail``.
    ///
    /// An application without a log yet is waited for. Beyond ``Configuration/maxApplications`` the tail is empty.
    public func tail(_ application: String, last: Int, filter: LogFilter = .all) -> LogTail {
        self.tail(application, last: last, after: 0, filter: filter)
    }

    /// Every line that came after the one with the given sequence number, as far as it is still in memory, and every new
    /// one: what a reader asks for that lost its connection.
    public func tail(_ application: String, after sequence: UInt64, filter: LogFilter = .all) -> LogTail {
        self.tail(application, last: .max, after: sequence, filter: filter)
    }

    private func tail(_ application: String, last: Int, after: UInt64, filter: LogFilter) -> LogTail {
        while let log = self.log(application) {
            guard let subscription = log.tail(last: last, after: after, filter: filter) else { continue }
            return LogTail(subscription: subscription)
        }
        let buffer = TailBuffer(filter: filter, limit: 0, backlog: [], finished: true)
        return LogTail(subscription: LogSubscription(buffer: buffer, log: nil))
    }

    /// The applications that have a log, sorted.
    public var applications: [String] {
        self.state.withLock { $0.logs.keys.sorted() }
    }

    /// How many entries were dropped because there were too many applications.
    public var refusedEntries: Int { self.state.withLock { $0.refused } }

    /// What is wrong with the files of which applications' logs; empty when all is well. Their lines are still in memory.
    public var storageFailures: [String: String] { self.state.withLock { $0.storageFailures } }

    // MARK: Life of an application

    /// Forgets the application's log, on disk too, and ends its tails. Waits for a write in progress.
    public func remove(_ application: String) {
        self.disk.withLock { disk in
            self.state.withLock { $0.logs.removeValue(forKey: application) }?.remove()
            do {
                try disk?.remove(application)
                self.noteStorage(nil, application)
            } catch {
                self.noteStorage("the log cannot be removed: \(error)", application)
            }
        }
    }

    /// Moves the log of `application` to `name`; its tails go on. A log that `name` already has is removed.
    public func rename(from application: String, to name: String) {
        guard application != name else { return }
        self.disk.withLock { disk in
            let (found, replaced) = self.state.withLock { state -> (Bool, ApplicationLog?) in
                guard let log = state.logs.removeValue(forKey: application) else { return (false, nil) }
                return (true, state.logs.updateValue(log, forKey: name))
            }
            guard found else { return }
            replaced?.remove()
            do {
                try disk?.rename(application, to: name)
                self.noteStorage(nil, application)
                self.noteStorage(nil, name)
            } catch {
                self.noteStorage("the log cannot be renamed: \(error)", name)
            }
        }
    }

    /// The application's log, made when there is none; `nil` when there are too many.
    private func log(_ application: String) -> ApplicationLog? {
        self.state.withLock { state in
            if let log = state.logs[application] { return log }
            guard state.logs.count < self.configuration.maxApplications else { return nil }
            let sequence = Self.firstSequence(now: self.now(), after: 0)
            let log = ApplicationLog(configuration: self.configuration, firstSequence: sequence)
            state.logs[application] = log
            return log
        }
    }

    /// Microseconds since 1970: more than the lines any earlier log of the application can have had.
    private static func firstSequence(now: Date, after last: UInt64) -> UInt64 {
        let microseconds = (now.timeIntervalSince1970 * 1_000_000).rounded()
        return max(last + 1, UInt64(exactly: microseconds) ?? 1, 1)
    }
}
