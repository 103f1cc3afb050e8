import Foundation
import GitReceiver
import Logging
import SystemPackage

/// What a host does with a `GitServer`, without its HTTP server, for the benchmarks: everything is in one process, so that
/// its CPU time is what the work costs.
@main
struct GitIntake {
    static let usage = """
        usage: git-intake ROOT receive NAME BODY [COUNT]  takes the body of a push, as git sends it, into the repository
                                                          NAME, or into COUNT of them at the same time
               git-intake ROOT fetch NAME BODY [COUNT]    answers the body of a fetch, to nowhere, COUNT at the same time
               git-intake ROOT export NAME COMMIT DIRECTORY
               git-intake ROOT maintain NAME
        """

    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count >= 3 else { self.fail(self.usage, 64) }
        let server = try GitServer(
            configuration: .init(root: FilePath(arguments[0])), handler: Acceptance(),
            logger: Logger(label: "git-intake", factory: { StreamLogHandler.standardError(label: $0) }))
        let name = arguments[2]
        let count = arguments.count == 5 ? Int(arguments[4]) ?? 1 : 1
        switch (arguments[1], arguments.count) {
        case ("receive", 4...5):
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 1...count {
                    let target = count == 1 ? name : "\(name)-\(number)"
                    if !server.repositoryExists(target) { try await server.createRepository(target) }
                    group.addTask { try await self.post("git-receive-pack", to: target, arguments[3], server) }
                }
                try await group.waitForAll()
            }
        case ("fetch", 4...5):
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...count {
                    group.addTask { try await self.post("git-upload-pack", to: name, arguments[3], server) }
                }
                try await group.waitForAll()
            }
        case ("maintain", 3): print(try await server.maintain(name))
        case ("export", 5):
            let report = try await server.export(name, commit: arguments[3], to: FilePath(arguments[4]))
            print("\(report.files) files, \(report.bytes) bytes")
        default: self.fail(self.usage, 64)
        }
    }

    private static func post(_ service: String, to name: String, _ body: String, _ server: GitServer) async throws {
        let request = GitRequest(method: "POST", path: "/\(name).git/\(service)")
        let response = try await server.respond(to: request, body: FileBody(path: FilePath(body)))
        guard response.status == 200, case .stream(let stream) = response.body else {
            self.fail("\(service) answered \(response.status): \(response.body)", 1)
        }
        let output = Output()
        try await stream(output)
    }

    static func fail(_ message: String, _ status: Int32) -> Never {
        FileHandle.standardError.write(Data((message + "\n").utf8))
        exit(status)
    }
}

/// Accepts every push.
struct Acceptance: PushHandler {
    func receive(_ push: Push, progress: any ProgressWriter) async throws -> PushVerdict { .accept }
}

/// A file in pieces of 64 KiB, which is about what a connection gives.
struct FileBody: AsyncSequence, Sendable {
    let path: FilePath

    struct AsyncIterator: AsyncIteratorProtocol {
        let file: FileDescriptor?

        mutating func next() async throws -> [UInt8]? {
            guard let file = self.file else { throw Errno.noSuchFileOrDirectory }
            let piece = try [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
                count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
            }
            if piece.isEmpty { try file.close() }
            return piece.isEmpty ? nil : piece
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(file: try? FileDescriptor.open(self.path, .readOnly))
    }
}

/// Shows what is short, such as the report of a push.
struct Output: GitBodyWriter {
    func write(_ bytes: [UInt8]) async throws {
        if bytes.count < 1000 { FileHandle.standardOutput.write(Data(bytes)) }
    }
}
