internal import NIOCore
internal import NIOHTTP1

/// Lets a request ask for another protocol only if it gets it: NIO loses one whose upgrade is refused.
///
/// Any other is passed on as if it had not asked, so that it is answered, with the reason; then the connection is closed,
/// since the decoder reads no further request after one that would be the last.
final class UpgradeGate: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private enum State { case first, deciding([NIOAny]), open }
    private var state = State.first
    private let sockets: OneOffSocket

    init(sockets: OneOffSocket) { self.sockets = sockets }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.state {
        case .open:
            context.fireChannelRead(data)
        case .deciding(var parts):
            parts.append(data)
            self.state = .deciding(parts)
        case .first:
            guard case .head(let head) = self.unwrapInboundIn(data), head.headers.contains(name: "upgrade") else {
                self.state = .open
                return context.fireChannelRead(data)
            }
            self.state = .deciding([])
            self.decide(head, context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if case .deciding = self.state { return }
        context.fireChannelReadComplete()
    }

    private func decide(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let sockets = self.sockets
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        context.eventLoop.makeFutureWithTask { await sockets.accepts(head) }.whenComplete { result in
            let (handler, context) = bound.value
            handler.decided((try? result.get()) ?? false, head, context)
        }
    }

    private func decided(_ isAccepted: Bool, _ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        guard case .deciding(let parts) = self.state else { return }
        self.state = .open
        var head = head
        if !isAccepted {
            head.headers.remove(name: "upgrade")
            head.headers.replaceOrAdd(name: "connection", value: "close")
        }
        context.fireChannelRead(self.wrapInboundOut(.head(head)))
        for part in parts { context.fireChannelRead(part) }
        context.fireChannelReadComplete()
    }
}
