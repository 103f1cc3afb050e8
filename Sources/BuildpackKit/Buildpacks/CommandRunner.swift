import Synchronization
import SystemPackage

/// What all commands of one build have in common.
struct CommandRunner: Sendable {
    let sandbox: any BuildSandbox
    let output: BuildOutput
    let tailLines: Int
    let variables: BuildVariables
    /// A directory for temporary files, private to the build.
    let scratch: FilePath
    let sourceVersion: String?
    let stack: String

    /// Runs a command; `line` gets its output.
    ///
    /// - Throws: ``BuildError/Code/commandFailed`` with the last lines, when it does not end with status zero.
    func run(_ command: BuildCommand, line: @escaping @Sendable (String) async -> Void) async throws(BuildError) {
        let tail = Tail(limit: self.tailLines)
        let exit: BuildExit
        do throws(BuildError) {
            exit = try await self.sandbox.run(command) { text in
                tail.append(text)
                await line(text)
            }
        } catch {
            var error = error
            error.tail = tail.lines
            throw error
        }
        if !exit.isSuccess {
            throw BuildError(
                .commandFailed, "A command of the build failed.", command: command.description, exit: exit,
                tail: tail.lines)
        }
    }

    /// Runs a command and returns how it ended and what it printed to stdout, the first `limit` lines of it.
    func capture(_ command: BuildCommand, limit: Int = 2000) async throws(BuildError) -> (BuildExit, [String]) {
        var command = command
        command.discardsStandardError = true
        let head = Tail(limit: limit, keepsFirst: true)
        let exit = try await self.sandbox.run(command) { head.append($0) }
        return (exit, head.lines)
    }
}

/// The first or last lines of an output.
final class Tail: Sendable {
    private let limit: Int
    private let keepsFirst: Bool
    private let storage = Mutex<[String]>([])

    init(limit: Int, keepsFirst: Bool = false) {
        self.limit = limit
        self.keepsFirst = keepsFirst
    }

    var lines: [String] { self.storage.withLock { $0 } }

    func append(_ line: String) {
        self.storage.withLock { lines in
            if lines.count >= self.limit {
                if self.keepsFirst { return }
                lines.removeFirst()
            }
            lines.append(line)
        }
    }
}

/// The environment of build commands, which grows from one buildpack to the next.
final class BuildVariables: Sendable {
    private let storage: Mutex<[String: String]>

    init(_ initial: [String: String]) { self.storage = Mutex(initial) }

    var current: [String: String] { self.storage.withLock { $0 } }

    func replace(with variables: [String: String]) { self.storage.withLock { $0 = variables } }

    func merge(_ variables: [String: String]) {
        self.storage.withLock { $0.merge(variables) { _, new in new } }
    }
}
