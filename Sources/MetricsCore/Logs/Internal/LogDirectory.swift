internal import SystemPackage

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// The segments on disk: one directory per application, in it files named by the sequence of their first line.
///
/// A segment is appended to until it has its size; then the next one begins, and the oldest go while the application has
/// more than its share. Files are opened for each batch: a thousand applications keep no thousand descriptors.
struct LogDirectory {
    private struct Segment {
        var path: FilePath
        var bytes: Int
    }

    private let root: FilePath
    private let segmentBytes: Int
    private let applicationBytes: Int
    /// Oldest first, by application.
    private var segments: [String: [Segment]] = [:]

    /// Makes the directory, with nobody else's eyes on it, where it does not exist.
    init(root: FilePath, segmentBytes: Int, applicationBytes: Int) throws {
        self.root = root
        self.segmentBytes = segmentBytes
        self.applicationBytes = applicationBytes
        try Self.makeDirectory(root)
    }

    /// The applications that have lines here.
    func applications() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: self.root.string).compactMap(Self.application).sorted()
    }

    /// The application's newest lines, oldest first, until `limit` lines or `bytes` are read. Ends a torn last line.
    ///
    /// A segment that cannot be read is left where it is and named; the others are read all the same.
    mutating func load(
        _ application: String, limit: Int, bytes: Int
    ) throws -> (lines: [LogLine], lastSequence: UInt64, unreadable: [(segment: FilePath, cause: any Error)]) {
        let directory = self.directory(application)
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.string)
            .filter { $0.hasSuffix(".log") }.sorted()
        var known: [Segment] = []
        var lines: [LogLine] = []
        var unreadable: [(segment: FilePath, cause: any Error)] = []
        var read = 0
        for (position, name) in names.enumerated().reversed() {
            let path = directory.appending(name)
            let isNewest = position == names.count - 1
            do {
                guard isNewest || (lines.count < limit && read < bytes) else {
                    known.append(Segment(path: path, bytes: try Self.size(path)))
                    continue
                }
                let (content, start) = try Self.contents(path, limit: max(self.segmentBytes * 2, 64 * 1024))
                let (decoded, intact) = LogRecord.decodeAll(content)
                if isNewest, intact < content.count { try Self.truncate(path, to: start + intact) }
                lines.insert(contentsOf: decoded, at: 0)
                read += content.count
                known.append(Segment(path: path, bytes: start + (isNewest ? intact : content.count)))
            } catch {
                unreadable.append((path, error))
                // Counts as full, so that nothing is appended to it.
                known.append(Segment(path: path, bytes: self.segmentBytes))
            }
        }
        self.segments[application] = known.reversed()
        // A segment that cannot be read has its first sequence in its name.
        let named = names.last.flatMap { UInt64($0.dropLast(4)) }.map { min($0, 1 << 62) } ?? 0
        let last = max(lines.lazy.map(\.sequence).max() ?? 0, named)
        return (lines.suffix(limit), last, unreadable)
    }

    /// Appends `lines`, and takes away from them what is on disk; after an error, what is left was not written.
    mutating func append(_ lines: inout ArraySlice<LogLine>, to application: String) throws {
        var known = self.segments[application] ?? []
        defer { self.segments[application] = known.isEmpty ? nil : known }
        if known.isEmpty { try Self.makeDirectory(self.directory(application)) }
        while let first = lines.first {
            if known.last.map({ $0.bytes >= self.segmentBytes }) ?? true {
                known.append(Segment(path: self.segmentPath(application, firstSequence: first.sequence), bytes: 0))
            }
            let newest = known.count - 1
            var bytes: [UInt8] = []
            var end = lines.startIndex
            while end < lines.endIndex, bytes.isEmpty || known[newest].bytes + bytes.count < self.segmentBytes {
                LogRecord.encode(lines[end], into: &bytes)
                end += 1
            }
            try Self.write(bytes, to: known[newest].path, at: known[newest].bytes)
            known[newest].bytes += bytes.count
            lines = lines[end...]
            var total = known.reduce(0) { $0 + $1.bytes }
            while total > self.applicationBytes, known.count > 1 {
                let oldest = known.removeFirst()
                total -= oldest.bytes
                try? FileManager.default.removeItem(atPath: oldest.path.string)
            }
        }
    }

    mutating func remove(_ application: String) throws {
        self.segments[application] = nil
        let path = self.directory(application).string
        guard FileManager.default.fileExists(atPath: path) else { return }
        try FileManager.default.removeItem(atPath: path)
    }

    mutating func rename(_ application: String, to name: String) throws {
        try self.remove(name)
        guard let known = self.segments.removeValue(forKey: application) else { return }
        let directory = self.directory(name)
        try FileManager.default.moveItem(atPath: self.directory(application).string, toPath: directory.string)
        self.segments[name] = known.map { segment in
            guard let file = segment.path.lastComponent else { return segment }
            return Segment(path: directory.appending(file), bytes: segment.bytes)
        }
    }

    // MARK: Names

    /// The longest file name that an application's may become; what is longer is kept in memory only.
    static func isStorable(_ application: String) -> Bool {
        !application.isEmpty && self.fileName(application).utf8.count <= 200
    }

    private func directory(_ application: String) -> FilePath {
        self.root.appending(Self.fileName(application))
    }

    private func segmentPath(_ application: String, firstSequence: UInt64) -> FilePath {
        let digits = String(firstSequence)
        let name = String(repeating: "0", count: 20 - digits.count) + digits + ".log"
        return self.directory(application).appending(name)
    }

    /// Everything but letters, digits and hyphens is written as `%2F`: no name leaves the directory.
    private static func fileName(_ application: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in application.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                result.append(byte)
            default:
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func application(_ fileName: String) -> String? {
        var result: [UInt8] = []
        var rest = Array(fileName.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                result.append(byte)
                continue
            }
            guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
            result.append(value)
            rest = rest.dropFirst(2)
        }
        let name = String(decoding: result, as: UTF8.self)
        return self.fileName(name) == fileName ? name : nil
    }

    // MARK: Files

    private static func makeDirectory(_ path: FilePath) throws {
        try FileManager.default.createDirectory(
            atPath: path.string, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    private static func size(_ path: FilePath) throws -> Int {
        let file = try FileDescriptor.open(path, .readOnly, options: [.noFollow, .closeOnExec])
        return try file.closeAfter { Int(try file.seek(offset: 0, from: .end)) }
    }

    /// The file's last `limit` bytes, and where in the file they begin.
    private static func contents(_ path: FilePath, limit: Int) throws -> (bytes: [UInt8], start: Int) {
        let file = try FileDescriptor.open(path, .readOnly, options: [.noFollow, .closeOnExec])
        return try file.closeAfter {
            let size = Int(try file.seek(offset: 0, from: .end))
            let start = max(0, size - limit)
            var offset = Int64(start)
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 64 * 1024)
            while true {
                let count = try buffer.withUnsafeMutableBytes { try file.read(fromAbsoluteOffset: offset, into: $0) }
                if count == 0 { break }
                bytes.append(contentsOf: buffer[..<count])
                offset += Int64(count)
            }
            return (bytes, start)
        }
    }

    private static func truncate(_ path: FilePath, to size: Int) throws {
        let file = try FileDescriptor.open(path, .writeOnly, options: [.noFollow, .closeOnExec])
        try file.closeAfter { try file.resize(to: Int64(size)) }
    }

    /// Writes at the known end, so that the remains of a failed write are written over by the next.
    private static func write(_ bytes: [UInt8], to path: FilePath, at offset: Int) throws {
        let file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .noFollow, .closeOnExec], permissions: [.ownerReadWrite])
        try file.closeAfter {
            do {
                _ = try file.writeAll(toAbsoluteOffset: Int64(offset), bytes)
            } catch {
                // A full disk leaves half a record; take it back, or a restart would read it.
                try? file.resize(to: Int64(offset))
                throw error
            }
        }
    }
}
