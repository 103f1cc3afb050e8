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
    /// The raw wait status, once it has ended.
    var exitCode: Int32

    var hasEnded: Bool { self.state == UInt8(ascii: "Z") || self.state == UInt8(ascii: "X") }
}

/// Reads `/proc`. Everything it answers may be out of date at once.
enum Procfs {
    /// Every process.
    static func processes() -> [ProcessEntry] {
        Self.processIdentifiers(in: "/proc").compactMap { Self.process($0) }
    }

    /// One process.
    static func process(_ pid: Int32) -> ProcessEntry? {
        guard let text = Self.read("/proc/\(pid)/stat", limit: 4096) else { return nil }
        return Self.parse(stat: text, pid: pid)
    }

    /// `pid (name) state ppid pgrp session … starttime(22) … exit_code(52)`; the name may hold spaces and parentheses.
    static func parse(stat text: [UInt8], pid: Int32) -> ProcessEntry? {
        guard let nameEnd = text.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = text[(nameEnd + 1)...].split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
        func number(_ field: Int) -> Int64? {
            let index = field - 3
            guard fields.indices.contains(index) else { return nil }
            return Int64(String(decoding: fields[index], as: UTF8.self))
        }
        guard let state = fields.first?.first, let parent = number(4), let group = number(5),
            let session = number(6), let start = number(22)
        else { return nil }
        return ProcessEntry(
            pid: pid, parent: Int32(truncatingIfNeeded: parent), group: Int32(truncatingIfNeeded: group),
            session: Int32(truncatingIfNeeded: session), startTime: UInt64(bitPattern: start), state: state,
            exitCode: Int32(truncatingIfNeeded: number(52) ?? 0))
    }

    /// Whether the environment that a process was executed with has such an entry (`NAME=value`).
    static func environment(of pid: Int32, contains matches: (ArraySlice<UInt8>) -> Bool) -> Bool {
        guard let text = Self.read("/proc/\(pid)/environ", limit: 1 << 20) else { return false }
        return text.split(separator: 0).contains(where: matches)
    }

    /// The children of this process, ended ones included.
    static func children() -> [Int32] {
        var children: [Int32] = []
        var supported = false
        for task in Self.processIdentifiers(in: "/proc/self/task") {
            guard let text = Self.read("/proc/self/task/\(task)/children", limit: 1 << 20) else { continue }
            supported = true
            children += text.split(separator: UInt8(ascii: " ")).compactMap {
                Int32(String(decoding: $0, as: UTF8.self))
            }
        }
        if supported { return children }
        let own = getpid()
        return Self.processes().filter { $0.parent == own }.map(\.pid)
    }

    /// What tells one boot of the machine from another.
    static func bootID() -> String {
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
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 8192)
        while bytes.count < limit {
            let count = chunk.withUnsafeMutableBytes { readSome(descriptor, $0.baseAddress, $0.count) }
            if count < 0 { return nil }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return bytes
    }

    private static func readSome(_ descriptor: Int32, _ base: UnsafeMutableRawPointer?, _ count: Int) -> Int {
        #if canImport(Musl)
            Musl.read(descriptor, base, count)
        #else
            Glibc.read(descriptor, base, count)
        #endif
    }
}
