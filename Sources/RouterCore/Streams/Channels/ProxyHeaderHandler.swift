import NIOCore

/// Takes the PROXY header off a connection's first bytes, before TLS begins.
final class ProxyHeaderHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let found: (ClientAddress?) -> Bool
    private var input = ByteBuffer()

    /// - Parameter found: is told the client that the header names, nil when the proxy speaks for itself; false when the
    ///   connection has been closed for that.
    init(_ found: @escaping (ClientAddress?) -> Bool) {
        self.found = found
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.input.writeBuffer(&bytes)
        switch self.input.withUnsafeReadableBytes({ ProxyHeader($0) }) {
        case .partial: return
        case .malformed: context.close(promise: nil)
        case .complete(let length, let client):
            self.input.moveReaderIndex(forwardBy: length)
            guard self.found(client) else { return }
            let rest = self.input
            self.input = ByteBuffer()
            if rest.readableBytes > 0 { context.fireChannelRead(self.wrapInboundOut(rest)) }
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if self.input.readableBytes > 0 { context.read() }
    }
}
