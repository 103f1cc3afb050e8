import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Why the system would not execute a program, in words of what to do. Its own say too little: "No such file or
/// directory" is what it answers for a script whose interpreter is missing.
enum ExecuteFailure {
    /// Such as " (it may not be executed: chmod +x bin/server)"; empty when there is nothing to add.
    ///
    /// - Parameter isShown: whether the process sees a path as this one does; nothing is said about what it does not.
    static func hint(
        _ error: Int32, name: String, process: ProcessSpec, isShown: (FilePath) -> Bool
    ) -> String {
        let found = (try? ExecutableSearch.find(name, for: process)) ?? name
        let path = FilePath(process.workingDirectory).pushing(FilePath(found))
        guard isShown(path.lexicallyNormalized()) else { return "" }
        var information = stat()
        let exists = stat(path.string, &information) == 0
        let hint: String? =
            switch error {
            case ENOENT: exists ? Self.missingInterpreter(of: path) : "there is no such file in the working directory"
            case EACCES where exists && information.st_mode & S_IFMT == S_IFDIR: "it is a directory"
            case EACCES where exists && information.st_mode & 0o111 == 0: "it may not be executed: chmod +x \(name)"
            case EACCES: "its user may not execute it, or not enter a directory above it"
            case ENOEXEC: Self.unknownFormat(of: path)
            case E2BIG: Self.size(of: process)
            default: nil
            }
        return hint.map { " (\($0))" } ?? ""
    }

    private static func missingInterpreter(of path: FilePath) -> String {
        let bytes = Self.beginning(of: path)
        guard bytes.starts(with: Array("#!".utf8)) else {
            return "the program loader that it names is not here: it was built for another system"
        }
        let line = bytes.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }
        let words = String(decoding: line, as: UTF8.self).split { $0 == " " || $0 == "\t" }
        guard let interpreter = words.first else { return "its first line names no interpreter" }
        return line.last == UInt8(ascii: "\r")
            ? "its lines end with a carriage return; save it with Unix line ends"
            : "its first line names the interpreter \(interpreter), which is not here"
    }

    private static func unknownFormat(of path: FilePath) -> String {
        let bytes = Self.beginning(of: path)
        if bytes.isEmpty { return "the file is empty" }
        guard let machine = Self.machine(bytes) else { return "a script needs a first line such as #!/bin/sh" }
        guard let own = Self.machine(Self.beginning(of: "/proc/self/exe")), own != machine else {
            return "the file is damaged"
        }
        return "it was built for \(Self.name(ofMachine: machine)); this machine is \(Self.name(ofMachine: own))"
    }

    private static func size(of process: ProcessSpec) -> String {
        let texts = process.arguments + process.environment.map { "\($0.key)=\($0.value)" }
        let bytes = texts.reduce(0) { $0 + $1.utf8.count + 1 }
        return
            "its arguments and its environment have \(bytes) bytes together; the system takes a quarter of the limit of"
            + " the stack, 2 MB as a rule. Pass a file instead"
    }

    /// For which processor an ELF file is.
    private static func machine(_ bytes: [UInt8]) -> UInt16? {
        guard bytes.count >= 20, bytes.starts(with: [0x7f] + Array("ELF".utf8)) else { return nil }
        let isLittle = bytes[5] == 1
        return UInt16(bytes[isLittle ? 19 : 18]) << 8 | UInt16(bytes[isLittle ? 18 : 19])
    }

    private static func name(ofMachine machine: UInt16) -> String {
        let names: [UInt16: String] = [
            3: "x86 (32 bits)", 40: "ARM (32 bits)", 62: "x86-64", 183: "ARM64", 243: "RISC-V",
        ]
        return names[machine] ?? "a processor with the ELF number \(machine)"
    }

    private static func beginning(of path: FilePath) -> [UInt8] {
        var found = stat()
        guard stat(path.string, &found) == 0, found.st_mode & S_IFMT == S_IFREG,
            let file = try? FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .nonBlocking])
        else {
            return []
        }
        defer { try? file.close() }
        // To open another thing, a device for one, can do something; so can reading it.
        var information = stat()
        guard fstat(file.rawValue, &information) == 0, information.st_mode & S_IFMT == S_IFREG else { return [] }
        return
            (try? [UInt8](unsafeUninitializedCapacity: 256) { buffer, count in
                count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
            }) ?? []
    }
}
