#if os(Linux)
    import Foundation
    import SystemPackage

    /// `slug-tool` under strace, which lets the kernel fail or end the program at a system call that is chosen.
    struct FaultInjection {
        /// What changes something on the disk, or decides what is changed.
        static let calls = [
            "openat", "mkdirat", "pwrite64", "fsync", "renameat", "linkat", "unlinkat", "fchmod", "utimensat",
            "symlinkat", "flock", "getdents64", "pread64",
        ]

        private static let program = ["/usr/bin/strace", "/usr/local/bin/strace", "/bin/strace"].first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
        static var isAvailable: Bool { self.program != nil }
        /// Where nothing may be skipped.
        static var isRequired: Bool { ProcessInfo.processInfo.environment["CI"] == "true" }

        /// What can find the disk full.
        static let writingCalls = ["openat", "mkdirat", "pwrite64", "fsync", "linkat", "symlinkat"]

        let fault: String
        let call: String

        /// How often the program's first thread makes the call before it has to do with the repository: to load libraries.
        func callsBefore(_ arguments: [String], about repository: FilePath) throws -> Int {
            guard self.call == "openat" || self.call == "pread64" || self.call == "getdents64" else { return 0 }
            let lines = try self.trace(arguments, [])
            let thread = lines.first?.split(separator: " ").first
            let own = lines.filter { $0.split(separator: " ").first == thread && $0.contains("\(self.call)(") }
            return own.firstIndex { $0.contains(repository.string) } ?? own.count
        }

        /// Runs the program with the fault at its `number`th call, in each thread.
        /// - Returns: Whether it came that far.
        func run(_ arguments: [String], at number: Int) throws -> Bool {
            let lines = try self.trace(arguments, ["-e", "inject=\(self.call):\(self.fault):when=\(number)"])
            return lines.contains { $0.contains("INJECTED") || $0.contains("killed by SIGKILL") }
        }

        private func trace(_ arguments: [String], _ options: [String]) throws -> [String] {
            let log = FilePath(NSTemporaryDirectory()).appending("trace-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(atPath: log.string) }
            let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            let tool = FilePath(own).removingLastComponent().appending("slug-tool")
            let process = Process()
            process.executableURL = URL(fileURLWithPath: Self.program ?? "/usr/bin/strace")
            process.arguments =
                ["-f", "-qq", "-o", log.string, "-e", "trace=\(self.call)"] + options + [tool.string] + arguments
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            return try String(contentsOfFile: log.string, encoding: .utf8).split(separator: "\n").map(String.init)
        }
    }
#endif
