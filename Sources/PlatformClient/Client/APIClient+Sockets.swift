internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import NIOWebSocket
internal import PlatformWire

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension APIClient {
    typealias Frames = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>
    private typealias Parts = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

    private enum Negotiated: Sendable { case socket(Frames), refused(Parts) }

    /// Opens a WebSocket for `body`, on a connection of its own. A refusal is thrown as the `Problem` that it carries.
    func withSocket<Result: Sendable>(
        _ call: Call,
        _ body:
            @escaping @Sendable (
                NIOAsyncChannelInboundStream<WebSocketFrame>, NIOAsyncChannelOutboundWriter<WebSocketFrame>
            )
            async throws -> Result
    ) async throws -> Result {
        try await self.translatingErrors {
            switch try await self.connect(call) {
            case .socket(let channel): return try await channel.executeThenClose(body)
            case .refused(let channel): throw try await self.refusal(channel)
            }
        }
    }

    private func connect(_ call: Call) async throws -> Negotiated {
        let base = try baseURL(self.configuration.url)
        guard let url = URL(string: base), let host = url.host() else {
            throw ClientError(.invalid, "`\(self.configuration.url)` is not an address of a host.")
        }
        let isSecure = url.scheme == "https"
        let port = url.port ?? (isSecure ? 443 : 80)
        let tls = isSecure ? try NIOSSLContext(configuration: .makeClientConfiguration()) : nil
        let head = self.head(host: url.port.map { "\(host):\($0)" } ?? host, path: url.path() + call.target)
        let limit = self.configuration.maximumLineBytes
        let negotiation = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(10))
            .channelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .connect(host: host.filter { $0 != "[" && $0 != "]" }, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        let handler = try NIOSSLClientHandler(
                            context: tls, serverHostname: host.contains(":") ? nil : host)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    return try Self.negotiate(channel, head, limit)
                }
            }
        return try await negotiation.get()
    }

    private func head(host: String, path: String) -> HTTPRequestHead {
        var headers = HTTPHeaders([
            ("Host", host), ("User-Agent", "slipway"), ("Content-Length", "0"),
            ("Accept", "application/json"),
        ])
        if let token = self.configuration.token { headers.add(name: "Authorization", value: "Bearer \(token)") }
        return HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: headers)
    }

    private static func negotiate(
        _ channel: any Channel, _ head: HTTPRequestHead, _ limit: Int
    ) throws -> EventLoopFuture<Negotiated> {
        let upgrader = NIOTypedWebSocketClientUpgrader<Negotiated>(
            maxFrameSize: limit,
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    .socket(try NIOAsyncChannel(wrappingChannelSynchronously: channel))
                }
            })
        let upgrade = NIOTypedHTTPClientUpgradeConfiguration<Negotiated>(
            upgradeRequestHead: head, upgraders: [upgrader],
            notUpgradingCompletionHandler: { channel in
                channel.eventLoop.makeCompletedFuture {
                    .refused(try NIOAsyncChannel(wrappingChannelSynchronously: channel))
                }
            })
        var configuration = NIOUpgradableHTTPClientPipelineConfiguration(upgradeConfiguration: upgrade)
        configuration.leftOverBytesStrategy = .forwardBytes
        return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(configuration: configuration)
    }

    private func refusal(_ channel: Parts) async throws -> any Error {
        try await channel.executeThenClose { inbound, _ in
            var status = 0
            var body = ByteBuffer()
            for try await part in inbound {
                switch part {
                case .head(let head):
                    status = Int(head.status.code)
                case .body(var bytes):
                    body.writeBuffer(&bytes)
                    guard body.readableBytes <= self.configuration.maximumAnswerBytes else {
                        return self.strange(status)
                    }
                case .end:
                    if let problem = try? WireJSON.decode(Problem.self, from: Data(body.readableBytesView)) {
                        return problem
                    }
                    return self.strange(status)
                }
            }
            return self.strange(status)
        }
    }

    private func strange(_ status: Int) -> any Error {
        ClientError(.unexpectedAnswer, self.strangeAnswer("with status \(status)"))
    }
}
