public import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A tree as a value: for writing one to disk, and for reading one back to compare.
///
/// ```swift
/// let tree = TestTree(["bin/run": .file("#!/bin/sh\n", executable: true), "current": .link("bin")])
/// try tree.write(to: directory)
/// #expect(try TestTree(readingAt: directory) == tree)
/// ```
public struct TestTree: Hashable, Sendable, CustomStringConvertible {
    /// What an entry is.
    public enum Entry: Hashable, Sendable {
        /// A directory. Those that other paths imply need not be listed.
        case directory
        /// A file and its content.
        case file([UInt8], executable: Bool)
        /// A symbolic link.
        case link(String)

        /// A file of text that cannot be executed.
        public static func file(_ text: String, executable: Bool = false) -> Entry {
            .file(Array(text.utf8), executable: executable)
        }

        /// A file of bytes that cannot be executed.
        public static func file(_ bytes: [UInt8]) -> Entry { .file(bytes, executable: false) }
    }

    /// The entries by path, all directories included.
    public private(set) var entries: [String: Entry]

    /// Makes a tree; the directories that paths imply are added.
    public init(_ entries: [String: Entry]) {
        self.entries = entries
        for path in entries.keys {
            var parent = FilePath(path).removingLastComponent()
            while !parent.isEmpty {
                self.entries[parent.string] = self.entries[parent.string] ?? .directory
                parent = parent.removingLastComponent()
            }
        }
    }

    /// Reads the tree at `root` without following links in it.
    /// - Throws: What the file system throws, and ``Violation`` for anything but files, directories and links.
    public init(readingAt root: FilePath) throws {
        var entries: [String: Entry] = [:]
        var pending = [""]
        while let directory = pending.popLast() {
            for name in try FileManager.default.contentsOfDirectory(atPath: root.string + "/" + directory) {
                let path = directory.isEmpty ? name : directory + "/" + name
                let full = root.string + "/" + path
                let attributes = try FileManager.default.attributesOfItem(atPath: full)
                switch attributes[.type] as? FileAttributeType {
                case .typeDirectory?:
                    entries[path] = .directory
                    pending.append(path)
                case .typeSymbolicLink?:
                    entries[path] = .link(try FileManager.default.destinationOfSymbolicLink(atPath: full))
                case .typeRegular?:
                    entries[path] = .file(
                        Array(try Data(contentsOf: URL(filePath: full))),
                        executable: FileManager.default.isExecutableFile(atPath: full))
                default:
                    throw Violation("\(path) is neither a file, a directory nor a link")
                }
            }
        }
        self.entries = entries
    }

    /// Writes the tree into `root`, which is made if it does not exist.
    /// - Parameter order: The order in which entries are made, for tests that it does not matter.
    public func write(to root: FilePath, reversed: Bool = false) throws {
        try FileManager.default.createDirectory(atPath: root.string, withIntermediateDirectories: true)
        let paths = reversed ? self.entries.keys.sorted(by: >) : self.entries.keys.sorted()
        for path in paths {
            let full = root.appending(path)
            try FileManager.default.createDirectory(
                atPath: full.removingLastComponent().string, withIntermediateDirectories: true)
            switch self.entries[path] {
            case .directory?, nil:
                try FileManager.default.createDirectory(atPath: full.string, withIntermediateDirectories: true)
            case .file(let bytes, let executable)?:
                try Data(bytes).write(to: URL(filePath: full.string))
                try FileManager.default.setAttributes(
                    [.posixPermissions: executable ? 0o755 : 0o644], ofItemAtPath: full.string)
            case .link(let target)?:
                try FileManager.default.createSymbolicLink(atPath: full.string, withDestinationPath: target)
            }
        }
    }

    /// The size of all files.
    public var bytes: Int64 {
        self.entries.values.reduce(into: 0) { if case .file(let bytes, _) = $1 { $0 += Int64(bytes.count) } }
    }

    /// The number of files.
    public var files: Int { self.entries.values.reduce(into: 0) { if case .file = $1 { $0 += 1 } } }

    /// One line per entry.
    public var description: String {
        self.entries.sorted { $0.key < $1.key }.map { path, entry in
            switch entry {
            case .directory: "\(path)/"
            case .file(let bytes, let executable): "\(path)\(executable ? "*" : "") (\(bytes.count) bytes)"
            case .link(let target): "\(path) -> \(target)"
            }
        }.joined(separator: "\n")
    }
}
