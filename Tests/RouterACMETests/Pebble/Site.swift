import Foundation
import Logging
import NIOCore
import NIOPosix
import RouterACME
import Subprocess
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import RouterCore

/// A site on this machine: a port for HTTP that answers challenges, and one for HTTPS.
struct Site: Sendable {
    let certificates: CertificateStore
    let challenges: ACMEChallenges
    let httpPort: Int
    let httpsPort: Int

    /// Opens the ports while `body` runs.
    ///
    /// - Parameter answersHTTP: false for a site whose HTTP port knows of no challenges.
    static func with<R: Sendable>(
        answersHTTP: Bool = true, answersTLS: Bool = true, _ body: @Sendable (Site) async throws -> R
    ) async throws -> R {
        let certificates = CertificateStore()
        let challenges = ACMEChallenges()
        let (forHTTP, forTLS) = (
            answersHTTP ? challenges : ACMEChallenges(), answersTLS ? challenges : ACMEChallenges()
        )
        let http = try await self.listen { channel in
            try channel.pipeline.syncOperations.addHandler(Handler(forHTTP))
        }
        let https = try await self.listen { channel in
            try TLSAcceptor(certificates: certificates, challenges: forTLS)
                .configure(channel.pipeline.syncOperations)
            try channel.pipeline.syncOperations.addHandler(Handler(nil))
        }
        let site = Site(
            certificates: certificates, challenges: challenges, httpPort: http.localAddress?.port ?? 0,
            httpsPort: https.localAddress?.port ?? 0)
        do {
            let result = try await body(site)
            for channel in [http, https] { try await channel.close().get() }
            return result
        } catch {
            for channel in [http, https] { try? await channel.close().get() }
            throw error
        }
    }

    private static func listen(_ configure: @escaping @Sendable (any Channel) throws -> Void) async throws
        -> any Channel
    {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try configure(channel) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    /// As much of HTTP as an authority and curl need.
    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let challenges: ACMEChallenges?
        private var received = ""

        init(_ challenges: ACMEChallenges?) { self.challenges = challenges }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.received += String(buffer: self.unwrapInboundIn(data))
            guard self.received.contains("\r\n\r\n") else { return }
            let words = self.received.split(separator: " ")
            let path = words.count > 1 ? Array(words[1].utf8) : []
            let answer = path.withUnsafeBytes { bytes in self.challenges?.answer(path: bytes) }
            let isSite = self.challenges == nil
            let body = answer ?? (isSite ? "hello" : "")
            let status = answer == nil && !isSite ? "404 Not Found" : "200 OK"
            let text = "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            context.close(promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    /// Asks for `/` as a browser would that trusts this authority alone, and returns the body.
    func get(host: String, trusting root: [UInt8], in directory: FilePath) async throws -> String {
        let roots = directory.appending("issuer.pem").string
        try Data(root).write(to: URL(fileURLWithPath: roots))
        let result = try await run(
            .name("curl"),
            arguments: Arguments([
                "-sS", "--http1.1", "--cacert", roots, "--resolve", "\(host):\(self.httpsPort):127.0.0.1",
                "https://\(host):\(self.httpsPort)/",
            ]), output: .string(limit: 65_536), error: .string(limit: 65_536))
        return result.standardOutput.isEmpty ? result.standardError : result.standardOutput
    }

    // MARK: Its manager

    /// Runs a manager while `body` runs.
    func managing<R: Sendable>(
        _ pebble: Pebble, storage: FilePath, hosts: [String], policy: HostPolicy? = nil,
        _ change: (inout ACMEManager.Configuration) throws -> Void = { _ in },
        _ body: @Sendable (ACMEManager, Changes) async throws -> R
    ) async throws -> R {
        var configuration = ACMEManager.Configuration(directory: pebble.directory, termsOfServiceAgreed: true)
        try change(&configuration)
        let changes = Changes()
        let manager = ACMEManager(
            configuration: configuration, certificates: self.certificates, challenges: self.challenges,
            storage: DirectoryACMEStorage(directory: storage), transport: try pebble.transport(), policy: policy,
            onChange: { changes.add($0) }, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        try manager.setHosts(hosts)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await manager.run() }
            let result = try await body(manager, changes)
            group.cancelAll()
            try await group.waitForAll()
            return result
        }
    }

    /// What became of orders, in their order.
    final class Changes: Sendable {
        private struct State {
            var seen: [ACMEHostStatus] = []
            var waiters: [(count: Int, continuation: CheckedContinuation<[ACMEHostStatus], Never>)] = []
        }
        private let state = Mutex(State())

        func add(_ status: ACMEHostStatus) {
            let (due, seen) = self.state.withLock { state in
                state.seen.append(status)
                let count = state.seen.count
                let due = state.waiters.filter { $0.count <= count }
                state.waiters.removeAll { $0.count <= count }
                return (due, state.seen)
            }
            for waiter in due { waiter.continuation.resume(returning: seen) }
        }

        /// Waits until so many orders have ended, and returns how.
        func wait(count: Int) async -> [ACMEHostStatus] {
            await withCheckedContinuation { continuation in
                let seen = self.state.withLock { state -> [ACMEHostStatus]? in
                    if state.seen.count >= count { return state.seen }
                    state.waiters.append((count, continuation))
                    return nil
                }
                if let seen { continuation.resume(returning: seen) }
            }
        }
    }
}
