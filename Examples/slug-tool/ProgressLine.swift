import SlugStore
import Synchronization
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// How far something has come, in one line of a terminal. Where standard error is none, nothing is said before the end.
final class ProgressLine: Sendable {
    private let (doing, done): (String, String)
    private let isTerminal = isatty(FileDescriptor.standardError.rawValue) == 1
    private let last = Mutex<(progress: ImageProgress, percent: Int64)>((ImageProgress(), -1))

    /// - Parameters:
    ///   - doing: What is done, for example `sending v1`.
    ///   - done: What then has been done, for example `sent`.
    init(_ doing: String, _ done: String) {
        self.doing = doing
        self.done = done
    }

    func show(_ progress: ImageProgress) {
        let percent = (progress.bytesMoved + progress.bytesPresent) * 100 / max(progress.bytes, 1)
        let isNews = self.last.withLock { last in
            defer { last = (progress, percent) }
            return last.percent != percent
        }
        guard self.isTerminal, isNews else { return }
        self.write("\r\(self.doing): \(percent) % of \(Self.text(progress.bytes))\u{1b}[K")
    }

    func end() {
        let progress = self.last.withLock { $0.progress }
        self.write(
            (self.isTerminal ? "\r" : "") + "\(Self.text(progress.bytesMoved)) \(self.done), "
                + "\(Self.text(progress.bytesPresent)) there already" + (self.isTerminal ? "\u{1b}[K\n" : "\n"))
    }

    private func write(_ text: String) { _ = try? FileDescriptor.standardError.writeAll(text.utf8) }

    private static func text(_ bytes: Int64) -> String {
        bytes < 10_000 ? "\(bytes) B" : bytes < 10_000_000 ? "\(bytes / 1000) kB" : "\(bytes / 1_000_000) MB"
    }
}
