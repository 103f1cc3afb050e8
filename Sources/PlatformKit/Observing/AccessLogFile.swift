internal import CoreMetrics
internal import Dispatch
public import Logging
public import MetricsCore
public import ServiceLifecycle
internal import Synchronization
public import SystemPackage

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// A file that lines are appended to, or standard output, without whoever appends ever waiting for the disk.
///
/// Lines wait in memory, in a bounded number of bytes, until ``run()`` has written them; what finds no room is dropped and
/// counted, and the log says so itself. When the file is moved away or removed, the next lines go to a new one at its path:
/// rotating it takes a `mv` and nothing else.
public final class AccessLogFile: Service {
    private struct Waiting {
        var text = ""
        var dropped = 0
        /// Dropped lines that the log itself does not mention yet.
        var unmentioned = 0
    }

    /// `nil` for standard output.
    private let path: FilePath?
    private let maxWaitingBytes: Int
    private let drops: CoreMetrics.Counter
    private let logger: Logger
    private let waiting = Mutex(Waiting())
    private let bell: AsyncStream<Void>
    private let ring: AsyncStream<Void>.Continuation
    /// Writing may block for as long as a disk likes: never on a thread that others need.
    private let queue = DispatchQueue(label: "slipway.access-log")
    private let file: Mutex<FileDescriptor>

    /// Opens the file, and makes it when it is not there, for its owner and its group to read.
    ///
    /// - Parameters:
    ///   - path: the file; `nil` for standard output.
    ///   - maxWaitingBytes: how much may wait to be written: 8 MiB.
    ///   - registry: counts what is dropped, as `slipway_access_log_dropped_lines_total`.
    ///   - logger: is told when lines cannot be written.
    /// - Throws: ``PlatformError`` with the code `invalid` when the file cannot be opened.
    public init(path: FilePath?, maxWaitingBytes: Int = 8 << 20, registry: MetricsRegistry, logger: Logger)
        throws(PlatformError)
    {
        self.path = path
        self.maxWaitingBytes = maxWaitingBytes
        self.drops = CoreMetrics.Counter(label: "slipway_access_log_dropped_lines", factory: registry)
        self.logger = logger
        registry.describe(
            "slipway_access_log_dropped_lines",
            help: "Lines that the access log has no room for, or that the disk refused.")
        (self.bell, self.ring) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        do {
            self.file = Mutex(try path.map(Self.open) ?? .standardOutput)
        } catch {
            throw PlatformError(
                .invalid, "cannot write the access log \(path.map { "\($0)" } ?? "-"): \(error)", cause: error)
        }
    }

    deinit { if self.path != nil { try? self.file.withLock { try $0.close() } } }

    /// How many lines were dropped, because the disk was too slow or refused them.
    public var droppedLines: Int { self.waiting.withLock { $0.dropped } }

    /// Appends whole lines, each with its end. Returns at once.
    public func append(_ lines: String) {
        self.waiting.withLock { waiting in
            guard waiting.text.utf8.count + lines.utf8.count <= self.maxWaitingBytes else {
                return self.drop(lines, &waiting)
            }
            waiting.text += lines
        }
        self.ring.yield()
    }

    /// Writes what comes until the surrounding task is cancelled or shut down gracefully, and then what is left.
    public func run() async throws {
        await withTaskCancellationOrGracefulShutdownHandler {
            for await _ in self.bell { await self.writeWaiting() }
            await self.writeWaiting()
        } onCancelOrGracefulShutdown: {
            self.ring.finish()
        }
    }

    private func writeWaiting() async {
        let (text, unmentioned) = self.waiting.withLock { waiting in
            let taken = (waiting.text, waiting.unmentioned)
            waiting.text = ""
            waiting.unmentioned = 0
            return taken
        }
        guard !text.isEmpty || unmentioned > 0 else { return }
        await withCheckedContinuation { continuation in
            self.queue.async {
                self.write(text, unmentioned)
                continuation.resume()
            }
        }
    }

    /// - Parameter unmentioned: how many lines were dropped before, which is told of after the text.
    private func write(_ text: String, _ unmentioned: Int) {
        do {
            try self.file.withLock { file in
                if let path = self.path, !Self.leads(path, to: file) {
                    let opened = try Self.open(path)
                    try? file.close()
                    file = opened
                }
                _ = try file.writeAll((unmentioned > 0 ? text + "dropped=\(unmentioned)\n" : text).utf8)
            }
        } catch {
            self.waiting.withLock { waiting in
                self.drop(text, &waiting)
                waiting.unmentioned += unmentioned
            }
            self.logger.warning("cannot write the access log", metadata: ["error": "\(error)"])
        }
    }

    private func drop(_ lines: String, _ waiting: inout Waiting) {
        let count = lines.utf8.count { $0 == UInt8(ascii: "\n") }
        self.drops.increment(by: Int64(count))
        waiting.dropped += count
        waiting.unmentioned += count
    }

    private static func open(_ path: FilePath) throws -> FileDescriptor {
        try FileDescriptor.open(
            path, .writeOnly, options: [.create, .append, .closeOnExec],
            permissions: [.ownerReadWrite, .groupRead])
    }

    /// Whether this is still the file at the path.
    private static func leads(_ path: FilePath, to file: FileDescriptor) -> Bool {
        var (named, opened) = (stat(), stat())
        guard path.withPlatformString({ stat($0, &named) }) == 0, fstat(file.rawValue, &opened) == 0 else {
            return false
        }
        return named.st_dev == opened.st_dev && named.st_ino == opened.st_ino
    }
}
