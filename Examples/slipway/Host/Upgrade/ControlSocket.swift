import Foundation
import Logging
import NIOCore
import NIOPosix
import SystemPackage

/// Somebody wants another program to take over.
struct UpgradeRequest: Sendable {
    /// What is asked, as one line of JSON.
    struct Wish: Codable, Sendable {
        var program: String
        var isForced: Bool
    }

    var program: String
    var isForced: Bool
    fileprivate let answer: AsyncStream<String>.Continuation
    fileprivate let isTold: AsyncStream<Never>

    func say(_ line: String) { self.answer.yield(line) }

    /// Says how it ended, and returns when that has been told.
    func end(_ line: String) async {
        self.answer.yield(line)
        self.answer.finish()
        for await _ in self.isTold {}
    }
}

/// A local socket in the data directory, for who may do there what the host does: its user.
struct ControlSocket {
    typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    let data: DataDirectory
    let feed: AsyncStream<Host.Event>.Continuation
    let logger: Logger

    func start() -> Task<Void, Never> {
        Task {
            do {
                // Under a name of its own first: whoever closes it removes the name that it was made with.
                let path = try self.data.socketPath("control")
                let own = try self.data.socketPath("control-\(getpid())")
                let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(
                    unixDomainSocketPath: own.string, cleanupExistingSocketFile: true
                ) { channel in
                    channel.eventLoop.makeCompletedFuture { try Connection(wrappingChannelSynchronously: channel) }
                }
                guard rename(own.string, path.string) == 0 else { throw Errno(rawValue: errno) }
                try await server.executeThenClose { connections in
                    for try await connection in connections { try? await self.serve(connection) }
                }
            } catch  where !Task.isCancelled {
                self.logger.warning("`slipway upgrade` will not reach this host", metadata: ["error": "\(error)"])
            } catch {
                // The host ends.
            }
        }
    }

    private func serve(_ connection: Connection) async throws {
        // Told means: written and closed. The process may end right after it, and take with it what still waits.
        let (isTold, told) = AsyncStream<Never>.makeStream()
        defer { told.finish() }
        try await connection.executeThenClose { inbound, outbound in
            var line = ByteBuffer()
            for try await var bytes in inbound {
                line.writeBuffer(&bytes)
                if line.readableBytesView.last == UInt8(ascii: "\n") || line.readableBytes > 64 << 10 { break }
            }
            let wish = try JSONDecoder().decode(UpgradeRequest.Wish.self, from: Data(line.readableBytesView))
            let (answers, answer) = AsyncStream<String>.makeStream()
            self.feed.yield(
                .upgrade(UpgradeRequest(program: wish.program, isForced: wish.isForced, answer: answer, isTold: isTold))
            )
            for await answer in answers { try await outbound.write(ByteBuffer(string: answer + "\n")) }
        }
    }
}
