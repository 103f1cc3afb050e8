import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Standard output and error, and whether somebody looks at them.
struct Terminal: Sendable {
    /// Whether standard output is a terminal.
    let isTerminal: Bool
    /// Whether colours are wanted there (https://no-color.org).
    let isColoured: Bool

    init(environment: [String: String]) {
        self.isTerminal = isatty(STDOUT_FILENO) == 1
        self.isColoured = self.isTerminal && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }

    /// Writes to standard output at once, so that what a pipe's reader sees is never late.
    func print(_ text: String) throws {
        try self.write(Array(text.utf8))
    }

    func printLine(_ text: String) throws {
        try self.print(text + "\n")
    }

    func write(_ bytes: [UInt8]) throws {
        try FileDescriptor.standardOutput.writeAll(bytes)
    }

    /// Says something that is no result, on standard error.
    func note(_ text: String) {
        _ = try? FileDescriptor.standardError.writeAll(Array((text + "\n").utf8))
    }

    /// Says on one line of standard error why the command failed.
    func complain(_ text: String) {
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        self.note("slipway: \(line)")
    }

    func bold(_ text: String) -> String { self.styled(text, "1") }
    func dim(_ text: String) -> String { self.styled(text, "2") }

    private func styled(_ text: String, _ code: String) -> String {
        self.isColoured ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }
}
