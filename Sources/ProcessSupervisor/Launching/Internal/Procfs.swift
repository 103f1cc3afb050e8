#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// One line of `/proc`: a process at one moment.
struct ProcessEntry: Sendable, Hashable {
    var pid: Int32
    var parent: Int32
    var group: Int32
    var session: Int32
    var startTime: UInt64
    var state: UInt8
    /// The limit of resident memory, which is a brand (see `ProcessTree`).
    var residentLimit: UInt64
    /// The raw wait status, once it has ended.
    var exitCode: Int32

    var hasEnded: Bool { self.state == UInt8(ascii: "Z") || self.state == UInt8(ascii: "X") }
}

/// Reads `/proc`. Everything it answers may be out of date at once.
package enum Procfs {
    /// Every process.
    static func processes() -> [ProcessEntry] {
        Self.processIdentifiers(in: "/proc").compactMap { Self.process($0) }
    }

    /// One process.
    static func process(_ pid: Int32) -> ProcessEntry? {
        guard let text = Self.read("/proc/\(pid)/stat", limit: 4096) else { return nil }
        return Self.parse(stat: text, pid: pid)
    }

    /// `pid (name) state ppid pgrp session … starttime(22) … rsslim(25) … exit_code(52)`; the name may hold spaces and parentheses.
    static func parse(stat text: [UInt8], pid: Int32) -> ProcessEntry? {
        guard let nameEnd = text.lastIndex(of: UInt8(ascii: ")")), nameEnd + 2 < text.count else { return nil }
        // By hand and without copies: a stop reads this line of every process there is.
        var numbers = [UInt64](repeating: 0, count: 53)
        var isNegative = false
        var field = 3
        for byte in text[(nameEnd + 2)...] where field < numbers.count {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                numbers[field] = numbers[field] &* 10 &+ UInt64(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "-"):
                isNegative = true
            case UInt8(ascii: " "):
                if isNegative { numbers[field] = 0 &- numbers[field] }
                isNegative = false
                field += 1
            default: break
            }
        }
        guard field >= 25 else { return nil }
        func number(_ field: Int) -> Int32 { Int32(truncatingIfNeeded: numbers[field]) }
        return ProcessEntry(
            pid: pid, parent: number(4), group: number(5), session: number(6), startTime: numbers[22],
            state: text[nameEnd + 2], residentLimit: numbers[25], exitCode: number(52))
    }

    /// The entries (`NAME=value`) of the environment that a process was executed with.
    static func environment(of pid: Int32) -> [ArraySlice<UInt8>] {
        Self.read("/proc/\(pid)/environ", limit: 1 << 20)?.split(separator: 0) ?? []
    }

    /// The children of this process, ended ones included.
    static func children() -> [Int32] {
        var children: [Int32] = []
        var supported = false
        for task in Self.processIdentifiers(in: "/proc/self/task") {
            guard let text = Self.read("/proc/self/task/\(task)/children", limit: 1 << 20) else { continue }
            supported = true
            children += text.split(separator: UInt8(ascii: " ")).map { digits in
                digits.reduce(0) { $0 &* 10 &+ Int32($1 &- UInt8(ascii: "0")) }
            }
        }
        if supported { return children }
        let own = getpid()
        return Self.processes().filter { $0.parent == own }.map(\.pid)
    }

    /// The number that was given away last; another one means that processes or threads were born.
    static func newestProcess() -> Int32? {
        guard let text = Self.read("/proc/loadavg", limit: 256) else { return nil }
        return Int32(String(decoding: text, as: UTF8.self).split(whereSeparator: \.isWhitespace).last ?? "")
    }

    /// Whether a process is in the same namespace of a kind, `pid` or `net`, as this one.
    static func shares(_ namespace: String, with pid: Int32) -> Bool {
        var (other, own) = (stat(), stat())
        return stat("/proc/\(pid)/ns/\(namespace)", &other) == 0 && stat("/proc/self/ns/\(namespace)", &own) == 0
            && other.st_ino == own.st_ino && other.st_dev == own.st_dev
    }

    /// What tells one boot of the machine from another.
    package static func bootID() -> String {
        let text = Self.read("/proc/sys/kernel/random/boot_id", limit: 64) ?? []
        return String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    private static func processIdentifiers(in path: String) -> [Int32] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var identifiers: [Int32] = []
        while let entry = readdir(directory) {
            let identifier = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { Int32(String(cString: $0)) }
            }
            if let identifier, identifier > 0 { identifiers.append(identifier) }
        }
        return identifiers
    }

    private static func read(_ path: String, limit: Int) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return withUnsafeTemporaryAllocation(byteCount: 8192, alignment: 1) { chunk in
            var bytes: [UInt8] = []
            while bytes.count < limit {
                let count = Self.readSome(descriptor, chunk.baseAddress, chunk.count)
                if count < 0 { return nil }
                if count == 0 { break }
                bytes += UnsafeRawBufferPointer(rebasing: chunk[..<count])
            }
            return bytes
        }
    }

    private static func readSome(_ descriptor: Int32, _ base: UnsafeMutableRawPointer?, _ count: Int) -> Int {
        #if canImport(Musl)
            Musl.read(descriptor, base, count)
        #else
            Glibc.read(descriptor, base, count)
        #endif
    }
}
