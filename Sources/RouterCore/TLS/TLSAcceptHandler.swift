import NIOCore
import NIOSSL

/// The first handler of a connection: reads the ClientHello and hands over to the TLS library, or refuses.
final class TLSAcceptHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case reading(ByteBuffer)
        /// What comes now goes by, until the client has closed.
        case refused(received: Int)
        case handedOver
    }

    private let acceptor: TLSAcceptor
    private let watch: TLSHandshakeWatch
    private var reader = ClientHelloReader()
    private var state = State.reading(ByteBuffer())

    init(_ acceptor: TLSAcceptor, _ watch: TLSHandshakeWatch) {
        self.acceptor = acceptor
        self.watch = watch
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        switch self.state {
        case .reading(var buffer):
            self.state = .reading(ByteBuffer())  // Not to copy the buffer.
            if buffer.readableBytes == 0 { buffer = bytes } else { buffer.writeBuffer(&bytes) }
            self.examine(buffer, context)
        case .refused(let received):
            self.state = .refused(received: received + bytes.readableBytes)
            if received > 65_536 { context.close(promise: nil) }
        case .handedOver:
            context.fireChannelRead(data)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if case .handedOver = self.state { context.fireChannelReadComplete() } else { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch self.state {
        case .reading, .refused:
            // Without the end of its hello, or after our goodbye, there is nothing to wait for.
            if event as? ChannelEvent == .inputClosed { context.close(promise: nil) }
        case .handedOver: context.fireUserInboundEventTriggered(event)
        }
    }

    private func examine(_ buffer: ByteBuffer, _ context: ChannelHandlerContext) {
        switch buffer.withUnsafeReadableBytes({ self.reader.read($0) }) {
        case .needsMore: self.state = .reading(buffer)
        case .complete(let hello): self.answer(hello, buffer, context)
        case .plainHTTP: self.refuse(Self.plainHTTPAnswer, context)
        case .notTLS: self.refuse([], context)
        case .refused(let alert): self.refuse(alert.record, context)
        }
    }

    private func answer(_ hello: ClientHello, _ buffer: ByteBuffer, _ context: ChannelHandlerContext) {
        switch self.acceptor.decide(hello) {
        case .refuse(let alert): self.refuse(alert.record, context)
        case .handshake(let tls): self.handOver(hello, buffer, tls, isChallenge: false, context)
        case .challenge(let tls): self.handOver(hello, buffer, tls, isChallenge: true, context)
        }
    }

    private func handOver(
        _ hello: ClientHello, _ buffer: ByteBuffer, _ tls: NIOSSLContext, isChallenge: Bool,
        _ context: ChannelHandlerContext
    ) {
        var configuration = NIOSSLHandler.Configuration()
        configuration.maximumPreservedOutboundBufferCapacity = 65_536
        let handler = NIOSSLServerHandler(context: tls, configuration: configuration)
        self.watch.begin(handler, serverName: hello.host?.text, isChallenge: isChallenge)
        self.state = .handedOver
        do {
            let pipeline = context.pipeline.syncOperations
            try pipeline.addHandler(handler, position: .after(self))
            context.fireChannelRead(self.wrapInboundOut(buffer))
            context.fireChannelReadComplete()
            pipeline.removeHandler(self, promise: nil)
        } catch {
            context.close(promise: nil)
        }
    }

    /// Says why, and closes once the client has seen it: closing while there is unread input would make the kernel
    /// throw the answer away.
    private func refuse(_ answer: [UInt8], _ context: ChannelHandlerContext) {
        self.state = .refused(received: 0)
        guard !answer.isEmpty else {
            context.close(promise: nil)
            return
        }
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: answer)), promise: nil)
        self.watch.linger()
        context.close(mode: .output, promise: nil)
    }

    private static let plainHTTPAnswer: [UInt8] = {
        let body = "This port speaks HTTPS. Ask again with https:// instead of http://.\n"
        return Array(
            ("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
                + "Content-Length: \(body.utf8.count)\r\nX-Slipway-Error: bad-request\r\nConnection: close\r\n\r\n"
                + body).utf8)
    }()
}
