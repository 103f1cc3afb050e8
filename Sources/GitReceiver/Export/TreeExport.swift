import SystemPackage

/// Writes the files of a commit, trusting nothing in it: no name leaves the directory, no link is followed, and bytes,
/// entries and depth are limited. For use within one blocking call.
struct TreeExport {
    private struct Directory {
        var tree: ObjectID
        var path: String
        var depth: Int
        /// Whether a `.gitattributes` that mentions `export-ignore` holds here.
        var hasAttributes: Bool
    }

    private let objects: ObjectDatabase
    private let attributes: ExportAttributes?
    private let limits: GitServer.Configuration.Limits
    private let flag: CancellationFlag
    private var report = ExportReport()
    private var entries = 0

    init(
        objects: ObjectDatabase, attributes: ExportAttributes?, limits: GitServer.Configuration.Limits,
        flag: CancellationFlag
    ) {
        self.objects = objects
        self.attributes = attributes
        self.limits = limits
        self.flag = flag
    }

    /// Writes a tree into a directory, which has to be empty where the tree has something.
    mutating func write(_ tree: ObjectID, to root: FilePath) throws(GitReceiverError) -> ExportReport {
        try Files.createDirectory(root)
        var pending = [Directory(tree: tree, path: "", depth: 1, hasAttributes: false)]
        while let directory = pending.popLast() {
            guard directory.depth <= self.limits.treeDepth else {
                throw GitReceiverError(
                    .limitExceeded, "Directories nest deeper than \(self.limits.treeDepth), the limit of this server.")
            }
            let handle = try DirectoryHandle(root, below: directory.path)
            pending += try self.write(directory, into: handle)
        }
        self.report.submodules.sort()
        self.report.pointers.sort()
        self.report.notes = self.notes()
        return self.report
    }

    /// Writes the entries of one directory; returns the directories in it, which are made already.
    private mutating func write(
        _ directory: Directory, into handle: borrowing DirectoryHandle
    ) throws(GitReceiverError) -> [Directory] {
        let entries = try self.read(directory.tree)
        var hasAttributes = directory.hasAttributes
        if self.attributes != nil, !hasAttributes,
            let file = entries.first(where: { $0.name == ".gitattributes" && $0.kind == .file })
        {
            hasAttributes = try self.objects.withObject(file.oid) { _, data throws(GitReceiverError) in
                Array(data).contains("export-ignore".utf8)
            }
        }
        var below: [Directory] = []
        for entry in entries {
            try self.flag.check()
            let path = directory.path.isEmpty ? entry.name : directory.path + "/" + entry.name
            if hasAttributes, try self.attributes?.ignores(path) == true { continue }
            self.entries += 1
            guard self.entries <= self.limits.checkoutEntries else {
                throw GitReceiverError(
                    .limitExceeded,
                    "The commit has more than \(self.limits.checkoutEntries) files, the limit of this server.")
            }
            switch entry.kind {
            case .directory:
                try handle.makeDirectory(entry.name, path: path)
                below.append(
                    Directory(tree: entry.oid, path: path, depth: directory.depth + 1, hasAttributes: hasAttributes))
            case .submodule:
                try handle.makeDirectory(entry.name, path: path)
                self.report.submodules.append(path)
            case .file, .executable, .link: try self.writeBlob(entry, path: path, into: handle)
            }
        }
        return below
    }

    private struct Entry {
        var kind: TreeEntry.Kind
        var name: String
        var oid: ObjectID
    }

    private func read(_ tree: ObjectID) throws(GitReceiverError) -> [Entry] {
        try self.objects.withObject(tree) { kind, data throws(GitReceiverError) in
            guard kind == .tree else { throw GitReceiverError(.corrupt, "object \(tree) is not a tree") }
            var reader = TreeReader(data, tree: tree)
            var entries: [Entry] = []
            while let entry = try reader.next() {
                guard let name = String(validating: entry.name, as: UTF8.self) else {
                    throw GitReceiverError(.unsupported, "A file name in tree \(tree) is not UTF-8; rename it.")
                }
                entries.append(Entry(kind: entry.kind, name: name, oid: entry.oid))
            }
            return entries
        }
    }

    private mutating func writeBlob(
        _ entry: Entry, path: String, into handle: borrowing DirectoryHandle
    ) throws(GitReceiverError) {
        let size = try self.objects.header(of: entry.oid)?.size ?? 0
        self.report.bytes += size
        guard self.report.bytes <= self.limits.checkoutBytes, size <= self.limits.objectBytes else {
            throw GitReceiverError(
                .limitExceeded,
                "The files of the commit are larger than \(self.limits.checkoutBytes >> 20) MiB together, "
                    + "or \(path) is larger than \(self.limits.objectBytes >> 20) MiB, the limits of this server.")
        }
        self.report.files += 1
        let isPointer = try self.objects.withObject(entry.oid) { kind, data throws(GitReceiverError) in
            guard kind == .blob else { throw GitReceiverError(.corrupt, "object \(entry.oid) is not a file") }
            if entry.kind == .link {
                try handle.makeLink(entry.name, target: data, path: path)
                return false
            }
            try handle.writeFile(entry.name, data, executable: entry.kind == .executable, path: path)
            return data.count <= 1024 && data.starts(with: "version https://git-lfs.github.com/spec/".utf8)
        }
        if isPointer { self.report.pointers.append(path) }
    }

    /// The most names that one note has.
    private static let namesInNote = 10

    private func notes() -> [String] {
        func list(_ paths: [String]) -> String {
            let names = paths.prefix(Self.namesInNote).map { ReceiveReport.line($0) }.joined(separator: ", ")
            let more = paths.count - Self.namesInNote
            return more > 0 ? "\(names) and \(more) more" : names
        }
        var notes: [String] = []
        if !self.report.pointers.isEmpty {
            let all = self.report.pointers.count <= Self.namesInNote
            let names = all ? self.report.pointers.map { ReceiveReport.line($0) }.joined(separator: ",") : "…"
            notes.append(
                "Git LFS is not supported: \(self.report.pointers.count) file(s) hold only a pointer, not their contents: "
                    + "\(list(self.report.pointers)). To commit the files themselves, run: git lfs migrate export "
                    + "--everything --include=\"\(names)\" and push with --force; or fetch them during the build.")
        }
        if !self.report.submodules.isEmpty {
            notes.append(
                "Git submodules are not supported: \(list(self.report.submodules)) will be empty. To add their files to "
                    + "the repository, run for each: git rm --cached PATH, remove its .git file, git add PATH; or use git "
                    + "subtree, or fetch them during the build.")
        }
        return notes
    }
}
