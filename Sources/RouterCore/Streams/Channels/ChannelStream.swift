import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A connection that SwiftNIO serves, as a ``ByteStream``: the last handler of its channel's pipeline.
///
/// A channel may call back in the middle of a call: a flush finds that the peer is gone and says so at once. Such news
/// is kept until the call is over.
final class ChannelStream: ChannelDuplexHandler, ByteStream {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum News { case ended, becameWritable, closed(broke: Bool) }
    private enum OutputClosing { case pending(thenClose: Bool), done }

    /// More than this does not wait for the end of the loop's round.
    private static let deferredBytes = 16_384

    var handler: (any ByteStreamHandler)?
    private var context: ChannelHandlerContext?
    private var sawEnd = false
    private var isGone = false
    private var closedHere = false
    private var hasFailed = false
    private var isReadHeld = false
    private var outputClosing: OutputClosing?
    private var callDepth = 0
    private var news: [News] = []
    private unowned let loop: ChannelLoop
    /// What was written and not flushed.
    private var unsentBytes = 0
    private var isUnsent = false

    private let ledger: BufferLedger
    /// What waits here, as the ledger has heard it last.
    private var counted = 0
    /// Written since the ledger heard of it.
    private var uncounted = 0

    init(on loop: ChannelLoop) {
        self.loop = loop
        self.ledger = loop.ledger
    }

    var isWritable: Bool {
        (self.context?.channel.isWritable ?? true) && (self.counted == 0 || !self.ledger.isTight)
    }
    var isOpen: Bool { self.context?.channel.isActive == true && !self.sawEnd }
    var bufferedBytes: Int { (try? self.context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 }

    var unconfirmedBytes: Int {
        var inKernel = 0
        #if os(Linux)
            // What the kernel's queue takes in memory: more than the bytes, but it moves with them and ends with them.
            if self.isOpen { inKernel = Int(self.memory?.queuedToSend ?? 0) }
        #endif
        return self.bufferedBytes + inKernel
    }

    #if os(Linux)
        private var memory: MemoryOfSocket? {
            var memory: MemoryOfSocket?
            let option = NIOBSDSocket.Option(rawValue: SO_MEMINFO)
            if let channel = self.context?.channel as? any SocketOptionProvider {
                channel.unsafeGetSocketOption(level: .socket, name: option).assumeIsolated().whenSuccess {
                    (value: MemoryOfSocket) in memory = value
                }
            }
            return memory
        }
    #endif

    func isQuiet() -> Bool {
        guard self.isOpen else { return false }
        #if os(Linux)
            guard let channel = self.context?.channel as? any SocketOptionProvider else { return true }
            var isEstablished = true
            channel.getTCPInfo().assumeIsolated().whenSuccess { info in
                isEstablished = info.tcpi_state == 1  // TCP_ESTABLISHED
            }
            return isEstablished && self.memory?.received ?? 0 == 0
        #else
            return true
        #endif
    }

    // MARK: What the handler asks for

    func write(_ bytes: ByteBuffer) {
        self.unsentBytes += bytes.readableBytes
        self.uncounted += bytes.readableBytes
        self.calling { $0.write(self.wrapOutboundOut(bytes), promise: nil) }
    }

    func flush() {
        self.isUnsent = false
        self.unsentBytes = 0
        self.calling { $0.flush() }
        // To ask the channel costs more than a small answer, which its socket has taken. What it has not taken is found
        // with the next larger flush, or when there is a lot of it.
        if self.uncounted >= 4096 || self.counted > 0 { self.count() }
    }

    /// Tells the ledger what waits, and has it ask again until that is nothing.
    private func count() {
        let now = self.closedHere || self.isGone ? 0 : self.bufferedBytes
        self.uncounted = 0
        guard now != self.counted else { return }
        if (self.counted == 0) != (now == 0) { self.loop.watch(self, now > 0) }
        self.ledger.change(by: now - self.counted)
        self.counted = now
    }

    /// Called with every tick while something waits.
    func recount() {
        let wasWritable = self.isWritable
        self.count()
        if !wasWritable, self.isWritable { self.tell(.becameWritable) }
    }

    func flushSoon() {
        guard self.unsentBytes <= Self.deferredBytes else { return self.flush() }
        guard !self.isUnsent else { return }
        self.isUnsent = true
        self.loop.flushSoon(self)
    }

    func resumeReading() {
        guard self.isReadHeld, let context = self.context else { return }
        self.isReadHeld = false
        // A handler in front may have bytes ready and deliver them within the call.
        context.eventLoop.assumeIsolated().execute { self.context?.read() }
    }

    func closeOutput() {
        guard self.outputClosing == nil else { return }
        self.outputClosing = .pending(thenClose: false)
        self.calling { context in
            context.flush()
            let promise = context.eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenComplete { _ in self.outputClosed() }
            context.close(mode: .output, promise: promise)
        }
    }

    private func outputClosed() {
        if case .pending(thenClose: true)? = self.outputClosing { self.close() }
        self.outputClosing = .done
    }

    func closeAfterWriting() {
        switch self.outputClosing {
        case .pending: self.outputClosing = .pending(thenClose: true)
        case .done: self.close()
        case nil:
            self.calling { context in
                let promise = context.eventLoop.makePromise(of: Void.self)
                promise.futureResult.assumeIsolated().whenComplete { _ in self.close() }
                context.writeAndFlush(self.wrapOutboundOut(ByteBuffer()), promise: promise)
            }
        }
    }

    func close() {
        if self.isUnsent { self.flush() }
        let isCutOff = self.bufferedBytes > 0
        self.closedHere = true
        self.count()
        if isCutOff, let channel = self.context?.channel as? any SocketOptionProvider {
            // What is cut off must not look like an orderly end, which would not even arrive before what is not read.
            channel.setSoLinger(linger(l_onoff: 1, l_linger: 0)).assumeIsolated().whenComplete { _ in }
        }
        self.calling { $0.close(promise: nil) }
    }

    private func calling(_ body: (ChannelHandlerContext) -> Void) {
        guard let context = self.context else { return }
        self.callDepth += 1
        body(context)
        self.callDepth -= 1
        guard self.callDepth == 0, !self.news.isEmpty else { return }
        context.eventLoop.assumeIsolated().execute { self.tellNews() }
    }

    // MARK: What the channel says

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func read(context: ChannelHandlerContext) {
        if self.handler?.wantsBytes == false { self.isReadHeld = true } else { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.handler?.received(self.unwrapInboundIn(data))
        if self.callDepth == 0 { self.ledger.settle() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if self.counted > 0 { self.count() }
        if self.isWritable { self.tell(.becameWritable) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            self.sawEnd = true
            self.tell(.ended)
        } else if let handshake = event as? TLSHandshakeFacts, let arriving = self.handler as? ArrivingConnection {
            arriving.agreed(on: handshake)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.isGone = true
        self.count()
        if case .done? = self.outputClosing, !self.closedHere, !self.hasFailed, !self.sawEnd {
            // With this end's output closed, a channel takes the peer's end for the end of all, and says nothing of it.
            self.sawEnd = true
            self.tell(.ended)
        }
        self.tell(.closed(broke: !self.closedHere && !self.sawEnd))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.hasFailed = true
        context.close(promise: nil)
    }

    private func tell(_ news: News) {
        self.news.append(news)
        if self.callDepth == 0 { self.tellNews() }
    }

    private func tellNews() {
        while !self.news.isEmpty {
            switch self.news.removeFirst() {
            case .ended: self.handler?.ended()
            case .becameWritable: self.handler?.becameWritable()
            case .closed(let broke):
                let handler = self.handler
                self.handler = nil
                handler?.closed(broke: broke)
            }
        }
    }
}

/// What Linux says about the memory of a socket (`SO_MEMINFO`).
private struct MemoryOfSocket {
    var received, receiveLimit, sent, sendLimit, forward: UInt32
    var queuedToSend: UInt32
    var options, backlog, drops: UInt32
}
