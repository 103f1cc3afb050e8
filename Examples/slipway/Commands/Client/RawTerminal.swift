import Foundation
import PlatformWire
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The terminal that this program is started at, handed to a program elsewhere: every key goes there, Ctrl-C too.
struct RawTerminal: Sendable {
    private let before: termios

    /// Whether both what is typed and what is shown is a terminal's: else a terminal elsewhere would garble it.
    static var isThere: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 }

    static var window: TerminalWindow? {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return nil }
        return TerminalWindow(columns: Int(size.ws_col), rows: Int(size.ws_row))
    }

    /// `nil` when standard input is no terminal.
    init?() {
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        self.before = settings
        cfmakeraw(&settings)
        guard tcsetattr(STDIN_FILENO, TCSADRAIN, &settings) == 0 else { return nil }
    }

    func restore() {
        var settings = self.before
        // A terminal that is not drained, since nobody looks at it any more, must not keep this from ending.
        _ = tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    }
}

/// Standard input, a piece at a time: read when it is asked for, by a thread that may wait.
final class StandardInput: Sendable {
    /// A byte here ends the waiting: reading itself could not be ended.
    private let wake: (read: Int32, write: Int32)
    private static let queue = DispatchQueue(label: "slipway.standard-input")

    init() {
        var ends: [Int32] = [-1, -1]
        _ = pipe(&ends)
        self.wake = (ends[0], ends[1])
    }

    deinit {
        close(self.wake.read)
        close(self.wake.write)
    }

    /// `nil` at the end, and when the task is cancelled.
    func next() async -> [UInt8]? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                Self.queue.async { continuation.resume(returning: self.read()) }
            }
        } onCancel: {
            _ = Self.write(self.wake.write)
        }
    }

    private func read() -> [UInt8]? {
        var wanted = [
            pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
            pollfd(fd: self.wake.read, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&wanted, 2, -1) < 0 { if errno != EINTR { return nil } }
        guard wanted[1].revents == 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16 << 10)
        let count = Self.read(STDIN_FILENO, &bytes)
        return count > 0 ? Array(bytes.prefix(count)) : nil
    }

    private static func read(_ descriptor: Int32, _ bytes: inout [UInt8]) -> Int {
        #if canImport(Glibc)
            Glibc.read(descriptor, &bytes, bytes.count)
        #elseif canImport(Musl)
            Musl.read(descriptor, &bytes, bytes.count)
        #else
            Darwin.read(descriptor, &bytes, bytes.count)
        #endif
    }

    private static func write(_ descriptor: Int32) -> Int {
        #if canImport(Glibc)
            Glibc.write(descriptor, [1], 1)
        #elseif canImport(Musl)
            Musl.write(descriptor, [1], 1)
        #else
            Darwin.write(descriptor, [1], 1)
        #endif
    }
}
