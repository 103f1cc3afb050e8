import Foundation
import SlugStoreTesting
import SystemPackage

/// Other programs, to compare with.
enum Program {
    static func path(_ name: String) -> String? {
        ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"].map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    static func has(_ name: String) -> Bool { self.path(name) != nil }

    /// Whether the program needs no loader, and so no file besides its own.
    static func isStatic(_ name: String) -> Bool {
        guard let path = self.path(name), let bytes = try? FilePath(path).contents() else { return false }
        let head = String(decoding: bytes.prefix(4096), as: UTF8.self)
        return !head.contains("/ld-linux") && !head.contains("/ld-musl")
    }

    /// Runs a program to its end; throws with what it said unless its status is 0.
    @discardableResult
    static func run(
        _ name: String, _ arguments: [String], in directory: FilePath, input: String = "/dev/null"
    ) throws -> String {
        guard let path = self.path(name) else { throw Violation("\(name) is not installed") }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory.string)
        process.environment = ["PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "HOME": directory.string]
        process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: input))
        // Into a file: a pipe that nobody reads would stop a program that says much.
        let log = FilePath(NSTemporaryDirectory()).appending("output-\(UUID().uuidString)")
        _ = FileManager.default.createFile(atPath: log.string, contents: nil)
        defer { try? FileManager.default.removeItem(atPath: log.string) }
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: log.string))
        process.standardOutput = output
        process.standardError = output
        try process.run()
        process.waitUntilExit()
        let said = String(decoding: try Data(contentsOf: URL(fileURLWithPath: log.string)), as: UTF8.self)
        guard process.terminationStatus == 0 else {
            throw Violation(
                "\(name) \(arguments.joined(separator: " ")) ended with \(process.terminationStatus): \(said)")
        }
        return said
    }
}

extension FilePath {
    /// All of the file.
    func contents() throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: self.string))) }
    func write(_ bytes: [UInt8]) throws { try Data(bytes).write(to: URL(fileURLWithPath: self.string)) }
}
