import Foundation
import Subprocess
import SystemPackage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A server that runs while a test does.
enum ServerProcess {
    /// The program of that name in `PATH`, or else in one of the directories.
    static func find(_ name: String, orIn directories: [String] = []) -> FilePath? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return (path.split(separator: ":").map(String.init) + directories).map { "\($0)/\(name)" }
            .first(where: FileManager.default.isExecutableFile).map { FilePath($0) }
    }

    /// Runs a program from its first line of output, or the first that has `sign` in it, until `body` is done.
    static func running<R: Sendable>(
        _ program: FilePath, _ arguments: [String], environment: [Subprocess.Environment.Key: String] = [:],
        until sign: String = "", _ body: @Sendable @escaping () async throws -> R
    ) async throws -> R {
        try await run(
            .path(program), arguments: Arguments(arguments), environment: .custom(environment), input: .none,
            output: .sequence, error: .combinedWithOutput
        ) { execution in
            let pid = execution.processIdentifier.value
            return try await withThrowingTaskGroup(of: [String].self) { group in
                let (started, begun) = AsyncStream.makeStream(of: Void.self)
                let lines = execution.standardOutput.strings()
                group.addTask {
                    defer { begun.finish() }
                    var said: [String] = []
                    // Read to the end, or it stops when the pipe is full.
                    for try await line in lines {
                        said.append(line)
                        if line.contains(sign) || sign.isEmpty { begun.finish() }
                    }
                    return said
                }
                for await _ in started {}
                do {
                    let result = try await body()
                    kill(pid, SIGTERM)
                    _ = try await group.next()
                    return result
                } catch {
                    kill(pid, SIGTERM)
                    print("--- \(program) said\n\((try await group.next() ?? []).suffix(100).joined(separator: "\n"))")
                    throw error
                }
            }
        }.closureResult
    }
}
