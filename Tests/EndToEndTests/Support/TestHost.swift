import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Subprocess
import SystemPackage
import Testing

/// All tests of the whole: they share two cores and a machine, so one runs at a time.
@Suite(.serialized) struct EndToEnd {}

/// The built program, serving from a directory of its own on ports of its own.
///
/// ``withTestHost(data:arguments:_:)`` starts one and ends it.
struct TestHost: Sendable {
    /// Where applications are served: `127.0.0.1:PORT`.
    let http: String
    /// Where the API is.
    let admin: String
    let data: FilePath
    let pid: Int32
    let token: String
    /// Where applications are served over HTTPS, when they are: `127.0.0.1:PORT`.
    var https: String?

    /// Runs a client command against this host.
    func slipway(_ arguments: String..., in directory: FilePath? = nil) async throws -> CommandResult {
        try await self.slipway(arguments, in: directory)
    }

    func slipway(_ arguments: [String], in directory: FilePath? = nil) async throws -> CommandResult {
        try await command(
            .path(TestHost.executable), arguments,
            environment: ["SLIPWAY_URL": "http://\(self.admin)", "SLIPWAY_TOKEN": self.token], in: directory)
    }

    /// Makes an application and fails the test when that is refused.
    func create(_ name: String) async throws {
        let result = try await self.slipway("apps", "create", name, in: self.data)
        try #require(result.status == 0, "\(result)")
    }

    /// Where `git` pushes to, with the token in it.
    func remote(_ name: String) -> String { "http://slipway:\(self.token)@\(self.admin)/git/\(name).git" }

    /// Commits everything in the work tree and pushes it to `main`.
    func push(_ name: String, from tree: WorkTree, arguments: [String] = []) async throws -> CommandResult {
        try await tree.commitAll()
        return try await tree.git(["push"] + arguments + [self.remote(name), "HEAD:refs/heads/main"])
    }

    /// One request to an application, as a visitor makes it.
    func get(_ name: String, _ path: String = "/") async throws -> Answer {
        try await self.request(name, path, method: .get)
    }

    func post(_ name: String, _ path: String, form: String) async throws -> Answer {
        try await self.request(
            name, path, method: .post, headers: ["content-type": "application/x-www-form-urlencoded"],
            body: Array(form.utf8))
    }

    func request(
        _ name: String, _ path: String, method: Method, headers: [String: String] = [:], body: [UInt8] = []
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: "http://\(self.http)\(path)")
        request.method = NIOHTTP1.HTTPMethod(rawValue: method.rawValue)
        request.headers.add(name: "host", value: "\(name).localhost")
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if !body.isEmpty { request.body = .bytes(body) }
        let response = try await Self.visitor.execute(request, timeout: .seconds(60))
        let bytes = try await response.body.collect(upTo: 64 << 20)
        return Answer(
            status: Int(response.status.code),
            headers: Dictionary(response.headers.map { ($0.name.lowercased(), $0.value) }) { "\($0), \($1)" },
            body: Array(bytes.readableBytesView))
    }

    /// One client for all: it keeps connections, and follows no redirect.
    private static let visitor = HTTPClient(
        eventLoopGroupProvider: .singleton, configuration: .init(redirectConfiguration: .disallow))

    enum Method: String {
        case get = "GET"
        case post = "POST"
    }

    /// The built `slipway`, which lies beside the tests.
    static let executable: FilePath = {
        let own =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return FilePath(own).removingLastComponent().appending("slipway")
    }()
}

/// What a visitor got.
struct Answer: Sendable, CustomStringConvertible {
    var status: Int
    var headers: [String: String]
    var body: [UInt8]

    var text: String { String(decoding: self.body, as: UTF8.self) }
    var description: String { "\(self.status) \(self.headers)\n\(self.text.prefix(2_000))" }
}

/// How a command ended.
struct CommandResult: Sendable, CustomStringConvertible {
    var status: Int32
    var output: String
    var error: String

    var description: String { "status \(self.status)\n--- stdout\n\(self.output)\n--- stderr\n\(self.error)" }
}

/// Runs a command to its end, with nothing of the tests' environment but `PATH`.
func command(
    _ executable: Executable, _ arguments: [String], environment: [String: String] = [:], in directory: FilePath? = nil
) async throws -> CommandResult {
    var variables: [Environment.Key: String] = [
        "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "LANG": "C.UTF-8",
    ]
    for (name, value) in environment { variables[Environment.Key(stringLiteral: name)] = value }
    // Cancelling ends all that the command started, as Ctrl-C in a terminal does.
    var options = PlatformOptions()
    options.processGroupID = 0
    options.teardownSequence = [
        .send(signal: .interrupt, toProcessGroup: true, allowedDurationToNextStep: .seconds(5))
    ]
    let result = try await run(
        executable, arguments: Arguments(arguments), environment: .custom(variables), workingDirectory: directory,
        platformOptions: options, output: .string(limit: 64 << 20), error: .string(limit: 64 << 20))
    let status: Int32 =
        switch result.terminationStatus {
        case .exited(let code): code
        case .signaled(let signal): 128 + signal
        }
    return CommandResult(status: status, output: result.standardOutput, error: result.standardError)
}

/// Starts the built program, waits until it is ready, runs `body`, and ends it with SIGTERM, and its applications with it.
///
/// - Parameter killed: `body` ends the host itself, so that it is no failure when it is gone.
func withTestHost<R: Sendable>(
    data: FilePath, arguments: [String] = [], killed: Bool = false, _ body: @Sendable (TestHost) async throws -> R
) async throws -> R {
    let all =
        ["serve", "--data", data.string, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--stop-grace", "5"]
        + arguments
    let result = try await run(
        .path(TestHost.executable), arguments: Arguments(all), input: .none, output: .sequence,
        error: .combinedWithOutput
    ) { execution in
        let pid = execution.processIdentifier.value
        var lines: [String] = []
        var iterator = execution.standardOutput.strings().makeAsyncIterator()
        while let line = try await iterator.next() {
            lines.append(line)
            if line.contains("  token ") { break }
        }
        guard let host = TestHost(announcement: lines, data: data, pid: pid) else {
            throw HostDidNotStart(output: lines.joined(separator: "\n"))
        }
        // What it says must be read, or it stops when the pipe is full; it is shown when something goes wrong.
        nonisolated(unsafe) var rest = iterator  // Only the task below uses it from here on.
        return try await withThrowingTaskGroup(of: [String].self) { group in
            group.addTask {
                var lines: [String] = []
                while let line = try await rest.next() { lines.append(line) }
                return lines
            }
            do {
                let value = try await body(host)
                kill(pid, SIGTERM)
                _ = try await group.next()
                return value
            } catch {
                kill(pid, SIGTERM)
                let said = try await group.next() ?? []
                print("--- the host said\n\(said.joined(separator: "\n"))")
                throw error
            }
        }
    }
    switch result.terminationStatus {
    case .exited(0): break
    case .signaled(SIGKILL) where killed: break
    default: Issue.record("the host ended with \(result.terminationStatus)")
    }
    return result.closureResult
}

struct HostDidNotStart: Error {
    var output: String
}

extension TestHost {
    private static func port(of line: String) -> Int? {
        line.split(separator: " ").last.flatMap { URL(string: String($0))?.port }
    }

    fileprivate init?(announcement lines: [String], data: FilePath, pid: Int32) {
        func address(after word: String) -> String? {
            lines.first { $0.contains("  \(word) ") }?.split(separator: " ").last
                .flatMap { URL(string: String($0)) }
                .flatMap { url in url.port.map { "127.0.0.1:\($0)" } }
        }
        guard let http = address(after: "applications"), let admin = address(after: "dashboard"),
            let token = try? String(contentsOfFile: data.appending("admin-token").string, encoding: .utf8)
        else { return nil }
        self.init(
            http: http, admin: admin, data: data, pid: pid,
            token: token.trimmingCharacters(in: .whitespacesAndNewlines),
            https: lines.first { $0.contains(" https://NAME.") }.flatMap(Self.port(of:)).map { "127.0.0.1:\($0)" })
    }
}
