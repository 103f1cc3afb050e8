import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The router's end of a connection to an instance: hands bytes to the client connection that has it at the moment.
final class UpstreamHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let instance: Instance
    /// Who is served; nil while idle.
    var owner: ClientHandler?
    /// Where it waits while idle.
    var pool: InstanceConnections?
    var idleSince: UInt64 = 0

    private var context: ChannelHandlerContext?
    private var sawEnd = false
    private var isReadHeld = false

    init(_ instance: Instance) {
        self.instance = instance
    }

    /// Whether it can carry a request, as far as is known.
    var isOpen: Bool { self.context?.channel.isActive == true && !self.sawEnd }
    var isWritable: Bool { self.context?.channel.isWritable ?? true }

    /// Asks the kernel whether the instance has closed the connection, even if the event is still on its way: a
    /// request that must not be sent twice is not risked on such a connection.
    func isStillConnected() -> Bool {
        guard self.isOpen else { return false }
        #if os(Linux)
            guard case .ip = self.instance.address, let channel = self.context?.channel as? any SocketOptionProvider
            else {
                return true
            }
            var isEstablished = true
            channel.getTCPInfo().assumeIsolated().whenSuccess { info in
                isEstablished = info.tcpi_state == 1  // TCP_ESTABLISHED
            }
            return isEstablished
        #else
            return true
        #endif
    }

    // MARK: What the client side asks for

    func write(_ bytes: ByteBuffer) {
        self.context?.write(self.wrapOutboundOut(bytes), promise: nil)
    }

    func flush() {
        self.context?.flush()
    }

    /// Ends the stream to the instance after what has been written.
    func halfClose() {
        self.context?.flush()
        self.context?.close(mode: .output, promise: nil)
    }

    func close() {
        self.context?.close(promise: nil)
    }

    /// Closes once everything written has left, for a tunnel whose other side is done.
    func closeAfterWriting() {
        guard let context = self.context else { return }
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer()), promise: promise)
    }

    /// Goes on reading after the client could not take more.
    func resumeReading() {
        guard self.isReadHeld else { return }
        self.isReadHeld = false
        self.context?.read()
    }

    // MARK: What the channel says

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func read(context: ChannelHandlerContext) {
        if let owner = self.owner, !owner.canTakeResponse {
            self.isReadHeld = true
        } else {
            context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let owner = self.owner else {
            // An instance that speaks without being asked cannot be believed afterwards.
            context.close(promise: nil)
            return
        }
        owner.upstreamRead(self.unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.owner?.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.owner?.upstreamBecameWritable() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else { return }
        self.sawEnd = true
        if let owner = self.owner {
            owner.upstreamEnded(broke: false)
        } else {
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let broke = !self.sawEnd
        self.sawEnd = true
        self.pool?.remove(self)
        if let owner = self.owner { owner.upstreamClosed(broke: broke) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
