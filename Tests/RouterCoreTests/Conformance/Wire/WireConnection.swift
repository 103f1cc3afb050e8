import NIOCore
import NIOPosix

/// One end of a TCP connection: sends bytes, and collects those that come.
final class WireConnection: Sendable {
    struct Received: Sendable {
        var bytes: [UInt8] = []
        /// Nothing more will come.
        var isEnded = false
        var isReset = false
    }

    let received: Watched<Received>
    private let channel: any Channel

    private init(_ channel: any Channel, _ received: Watched<Received>) {
        self.channel = channel
        self.received = received
    }

    static func connect(port: Int) async throws -> WireConnection {
        let received = Watched(Received())
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(received))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return WireConnection(channel, received)
    }

    /// Listens on any free port of the loopback.
    static func listen(
        _ accept: @escaping @Sendable (WireConnection) -> Void
    ) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let received = Watched(Received())
                    try channel.pipeline.syncOperations.addHandler(Collector(received))
                    accept(WireConnection(channel, received))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    // What fails here shows in what is received, or is what a case is about.

    func send(_ bytes: [UInt8]) async {
        try? await self.channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    func end() async { try? await self.channel.close(mode: .output).get() }
    func close() async { try? await self.channel.close().get() }

    func reset() async {
        if let options = self.channel as? any SocketOptionProvider {
            try? await options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        }
        await self.close()
    }
}

private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let received: Watched<WireConnection.Received>

    init(_ received: Watched<WireConnection.Received>) { self.received = received }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        self.received.update { $0.bytes += bytes.readableBytesView }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { self.received.update { $0.isEnded = true } }
    }

    func channelInactive(context: ChannelHandlerContext) { self.received.update { $0.isEnded = true } }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.received.update {
            $0.isReset = true
            $0.isEnded = true
        }
        context.close(promise: nil)
    }
}
