import Foundation
import Subprocess
import SystemPackage

/// The programs that tests try the router with.
enum Program {
    /// Whether a program is on the path.
    static func has(_ name: String) -> Bool {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
    }

    struct Result: Sendable, CustomStringConvertible {
        var status: Int32
        var output: String
        var error: String
        var description: String { "status \(self.status)\n\(self.output)\n\(self.error)" }
    }

    static func run(_ name: String, _ arguments: [String], input: String = "") async throws -> Result {
        let result = try await Subprocess.run(
            .name(name), arguments: Arguments(arguments), input: .string(input), output: .string(limit: 1 << 20),
            error: .string(limit: 1 << 20))
        var status: Int32 = -1
        if case .exited(let code) = result.terminationStatus { status = code }
        return Result(status: status, output: result.standardOutput, error: result.standardError)
    }
}
