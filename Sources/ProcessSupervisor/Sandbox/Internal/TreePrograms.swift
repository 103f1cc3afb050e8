import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The programs that a tree has in directories of programs, and what of the host's they take: a link that leads out of the
/// tree, an interpreter in a first line, the Python that a virtual environment was made of.
///
/// It is looked at before a start, because afterwards all there is to be read is a shell's "not found", for a file that
/// whoever looks finds there.
enum TreePrograms {
    /// What a program takes and does not find in a sandbox.
    struct Gap: Hashable {
        /// The program, in the tree.
        var program: FilePath
        /// What it leads to on the host.
        var path: FilePath

        /// What would have to be shown.
        var root: FilePath {
            let directory = self.path.removingLastComponent()
            let isOfPrograms = directory.lastComponent == "bin" && directory.components.count > 2
            return isOfPrograms ? directory.removingLastComponent() : directory
        }
    }

    /// How far it is looked: deeper, programs are parts of something rather than what somebody starts.
    private static let (maxDepth, maxDirectories, maxPrograms) = (3, 200, 200)

    /// The first program of the tree that takes what is on the host and is not there in the sandbox.
    static func gap(in tree: FilePath, shows: (FilePath) -> Bool) -> Gap? {
        var directories = [(path: tree, depth: 0)]
        var index = 0
        while index < directories.count, index < Self.maxDirectories {
            let (path, depth) = directories[index]
            index += 1
            guard let entries = Self.entries(of: path) else { continue }
            if path.lastComponent == "bin", depth > 0 {
                if let gap = Self.gap(in: path, entries, of: tree, shows) { return gap }
            } else if depth < Self.maxDepth {
                for entry in entries where entry.isDirectory && !Self.skipped.contains(entry.name) {
                    directories.append((path.appending(entry.name), depth + 1))
                }
            }
        }
        return nil
    }

    private static let skipped: Set<String> = [".git", "node_modules", "lib", "lib64", "include", "share"]

    private static func gap(
        in directory: FilePath, _ entries: [Entry], of tree: FilePath, _ shows: (FilePath) -> Bool
    ) -> Gap? {
        var programs = entries.prefix(Self.maxPrograms).filter { !$0.isDirectory }.map { directory.appending($0.name) }
        programs.append(directory.removingLastComponent().appending("pyvenv.cfg"))
        let resolvedTree = HostFiles.real.resolve(tree)
        for program in programs {
            for path in Self.needs(of: program) where path.isAbsolute && !SandboxPlan.hasOwn(path) {
                let isThere = [tree, resolvedTree].contains { path.starts(with: $0) } || shows(path)
                if !isThere, access(path.string, X_OK) == 0 { return Gap(program: program, path: path) }
            }
        }
        return nil
    }

    /// The paths outside of itself that a file leads to.
    private static func needs(of file: FilePath) -> [FilePath] {
        if case .link(let destination) = HostFiles.real.inspect(file) {
            let next = file.removingLastComponent().pushing(FilePath(destination)).lexicallyNormalized()
            return [next, HostFiles.real.resolve(file)]
        }
        let beginning = Self.beginning(of: file)
        if file.lastComponent == "pyvenv.cfg" {
            let home = beginning.split(separator: "\n").first { $0.hasPrefix("home = ") }
            return home.map { [FilePath(String($0.dropFirst(7)))] } ?? []
        }
        guard beginning.hasPrefix("#!") else { return [] }
        let words = beginning.dropFirst(2).prefix { $0 != "\n" }.split(whereSeparator: { " \t\r".contains($0) })
        return words.first.map { [FilePath(String($0))] } ?? []
    }

    private static func beginning(of file: FilePath) -> String {
        var information = stat()
        guard lstat(file.string, &information) == 0, information.st_mode & S_IFMT == S_IFREG,
            let file = try? FileDescriptor.open(file, .readOnly, options: [.closeOnExec, .nonBlocking, .noFollow])
        else { return "" }
        defer { try? file.close() }
        let bytes = try? [UInt8](unsafeUninitializedCapacity: 512) { buffer, count in
            count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
        }
        return String(decoding: bytes ?? [], as: UTF8.self)
    }

    private struct Entry {
        var name: String
        var isDirectory: Bool
    }

    private static func entries(of path: FilePath) -> [Entry]? {
        guard let directory = opendir(path.string) else { return nil }
        defer { closedir(directory) }
        var entries: [Entry] = []
        // More than that in one directory are not programs.
        while entries.count < 2_000, let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name == "." || name == ".." { continue }
            entries.append(Entry(name: name, isDirectory: entry.pointee.d_type == DT_DIR))
        }
        return entries
    }
}
