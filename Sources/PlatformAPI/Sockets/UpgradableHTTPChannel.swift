internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypes
internal import NIOHTTPTypesHTTP1
internal import NIOWebSocket

/// A connection that speaks HTTP/1.1, or, from its first request on, a WebSocket of one-offs.
struct UpgradableHTTPChannel: HTTPChannelHandler {
    enum Negotiated: Sendable {
        case http(NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>)
        case socket(NIOAsyncChannel<WebSocketFrame, WebSocketFrame>, HTTPRequestHead)
    }

    struct Value: ServerChildChannelValue {
        let channel: any Channel
        let negotiation: EventLoopFuture<Negotiated>
    }

    let responder: Responder
    let sockets: OneOffSocket
    let idleTimeout: Duration?

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let waiting = UnnegotiatedHandler(idleTimeout: self.idleTimeout.map { TimeAmount($0) })
            var configuration = NIOUpgradableHTTPServerPipelineConfiguration(
                upgradeConfiguration: NIOTypedHTTPServerUpgradeConfiguration<Negotiated>(
                    upgraders: [self.upgrader],
                    notUpgradingCompletionHandler: { channel in
                        channel.eventLoop.makeCompletedFuture { .http(try self.speakHTTP(channel, logger)) }
                    }))
            configuration.enablePipelining = false  // done by NIOAsyncChannel
            configuration.enableErrorHandling = false  // done by those who speak HTTP then, and before by whoever waits
            configuration.enableResponseHeaderValidation = false  // done by the types of the headers
            configuration.decoderConfiguration.maxHeaderFieldSize = 80 << 10
            configuration.decoderConfiguration.maxHeaderListSize = 80 << 10
            configuration.decoderConfiguration.maxHeaderFieldCount = 1_000
            let negotiation = try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
                configuration: configuration)
            let upgrading = try channel.pipeline.syncOperations.handler(
                type: NIOTypedHTTPServerUpgradeHandler<Negotiated>.self)
            try channel.pipeline.syncOperations.addHandler(
                UpgradeGate(sockets: self.sockets), position: .before(upgrading))
            try channel.pipeline.syncOperations.addHandler(waiting)
            return Value(channel: channel, negotiation: negotiation)
        }
    }

    func handle(value: Value, logger: Logger) async {
        do {
            switch try await value.negotiation.get() {
            case .http(let channel):
                await self.handleHTTP(asyncChannel: channel, logger: logger)
            case .socket(let channel, let head):
                try await self.sockets.serve(channel, head, logger: logger)
            }
        } catch {
            logger.trace("a connection ended before it was answered", metadata: ["error": "\(error)"])
            value.channel.close(promise: nil)
        }
    }

    private var upgrader: NIOTypedWebSocketServerUpgrader<Negotiated> {
        let sockets = self.sockets
        return NIOTypedWebSocketServerUpgrader(
            maxFrameSize: sockets.messageLimit,
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(HTTPHeaders()) },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    try UnnegotiatedHandler.remove(from: channel)
                    try channel.pipeline.syncOperations.addHandler(
                        NIOWebSocketFrameAggregator(
                            minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: 1_024,
                            maxAccumulatedFrameSize: sockets.messageLimit))
                    return .socket(
                        try NIOAsyncChannel(
                            wrappingChannelSynchronously: channel,
                            configuration: .init(isOutboundHalfClosureEnabled: true)), head)
                }
            })
    }

    private func speakHTTP(
        _ channel: any Channel, _ logger: Logger
    ) throws -> NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart> {
        try UnnegotiatedHandler.remove(from: channel)
        try channel.pipeline.syncOperations.addHandlers([
            HTTP1ToHTTPServerCodec(secure: false), DisconnectHandler(),
            HTTPConnectionStateHandler(idleTimeout: self.idleTimeout, logger: logger),
        ])
        return try NIOAsyncChannel(
            wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
    }
}

/// Closes a connection whose first request is none, does not come in time, or not before the server stops.
private final class UnnegotiatedHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias OutboundOut = HTTPServerResponsePart

    private let idleTimeout: TimeAmount?
    private var timer: Scheduled<Void>?

    init(idleTimeout: TimeAmount?) { self.idleTimeout = idleTimeout }

    static func remove(from channel: any Channel) throws {
        let handler = try channel.pipeline.syncOperations.handler(type: UnnegotiatedHandler.self)
        _ = channel.pipeline.syncOperations.removeHandler(handler)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        self.timer = self.idleTimeout.map { context.eventLoop.scheduleTask(in: $0) { channel.close(promise: nil) } }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.timer?.cancel() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError else { return context.fireErrorCaught(error) }
        let head = HTTPResponseHead(
            version: .http1_1, status: .badRequest, headers: ["connection": "close", "content-length": "0"])
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A client that sends no more before it has asked anything wants nothing.
        let hasGone = event as? ChannelEvent == .inputClosed
        if hasGone || event is ChannelShouldQuiesceEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}
