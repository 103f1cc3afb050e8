internal import NIOCore

/// Notices that a client goes away while its request is being answered.
///
/// Lives on its channel's event loop, with at most one observer: requests of a connection are answered one after the other.
final class DisconnectHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private var hasGone = false
    private var observer: (@Sendable () -> Void)?

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A client that sends no more is one that has gone: nobody stops talking in the middle and goes on listening.
        if case .some(.inputClosed) = event as? ChannelEvent { self.gone() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.gone()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.gone()
    }

    private func gone() {
        self.hasGone = true
        self.observer?()
        self.observer = nil
    }

    private func observe(_ observer: @escaping @Sendable () -> Void) {
        if self.hasGone { observer() } else { self.observer = observer }
    }

    /// Returns when the client at the other end of a channel has gone, and when the task is cancelled.
    static func waitForDisconnect(of channel: any Channel) async {
        let (stream, continuation) = AsyncStream<Never>.makeStream()
        channel.eventLoop.execute {
            guard let handler = try? channel.pipeline.syncOperations.handler(type: DisconnectHandler.self) else {
                return continuation.finish()
            }
            handler.observe { continuation.finish() }
        }
        for await _ in stream {}
    }
}
