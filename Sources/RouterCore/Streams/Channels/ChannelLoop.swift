import NIOCore
import NIOPosix
import Synchronization

/// A SwiftNIO event loop as the place where a worker lives.
final class ChannelLoop: StreamLoop, LoopExecutor {
    let eventLoop: any EventLoop
    private let isEnded = Mutex(false)
    private let unsent: NIOLoopBoundBox<[ChannelStream]>
    /// Those of which something waits: what the channel sends of it, it tells nobody.
    private let waiting: NIOLoopBoundBox<[ObjectIdentifier: ChannelStream]>
    private let marks: WriteMarks
    private let boundLedger: NIOLoopBound<BufferLedger>

    /// To be called on the loop's thread.
    init(_ eventLoop: any EventLoop, marks: WriteMarks) {
        self.eventLoop = eventLoop
        self.marks = marks
        self.unsent = NIOLoopBoundBox([], eventLoop: eventLoop)
        self.waiting = NIOLoopBoundBox([:], eventLoop: eventLoop)
        self.boundLedger = NIOLoopBound(BufferLedger(), eventLoop: eventLoop)
        self.ledger.recount = { [waiting] in
            for stream in Array(waiting.value.values) { stream.recount() }
        }
    }

    var ledger: BufferLedger { self.boundLedger.value }

    /// Has a stream looked at with every tick, as long as something of it waits.
    func watch(_ stream: ChannelStream, _ isWaiting: Bool) {
        self.waiting.value[ObjectIdentifier(stream)] = isWaiting ? stream : nil
    }

    /// Takes no more work; what was taken before is done.
    func end() { self.isEnded.withLock { $0 = true } }

    var isCurrent: Bool { self.eventLoop.inEventLoop }

    func execute(_ work: @escaping @Sendable () -> Void) -> Bool {
        self.isEnded.withLock { isEnded in
            if !isEnded { self.eventLoop.execute(work) }
            return !isEnded
        }
    }

    func callSoon(_ work: @escaping () -> Void) {
        self.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(5)) { work() }
    }

    /// Has a stream flush once what is ready now has been served.
    func flushSoon(_ stream: ChannelStream) {
        self.unsent.value.append(stream)
        guard self.unsent.value.count == 1 else { return }
        self.eventLoop.assumeIsolated().execute {
            let streams = self.unsent.value
            self.unsent.value = []
            for stream in streams { stream.flush() }
        }
    }

    func now() -> UInt64 { NIODeadline.now().uptimeNanoseconds }

    func connect(to instance: Instance, completion: @escaping ((any ByteStream)?) -> Void) -> any PendingConnection {
        let stream = LoopBound(ChannelStream(on: self), self)
        let bootstrap = ClientBootstrap(group: self.eventLoop)
            // The caller gives up before.
            .connectTimeout(.hours(1))
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.writeBufferWaterMark, value: self.marks.waterMark)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try stream.withValue { try channel.pipeline.syncOperations.addHandler($0) }
                }
            }
        let connecting: EventLoopFuture<any Channel>
        if let address = instance.socketAddress {
            connecting = bootstrap.connect(to: address)
        } else if case .ip(let host, let port) = instance.address {
            connecting = bootstrap.connect(host: host, port: port)
        } else {
            connecting = self.eventLoop.makeFailedFuture(ChannelError.unknownLocalAddress)
        }
        let pending = PendingChannel(completion)
        connecting.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): stream.withValue { pending.finish($0, channel) }
            case .failure: pending.finish(nil, nil)
            }
        }
        return pending
    }
}

extension WriteMarks {
    var waterMark: ChannelOptions.Types.WriteBufferWaterMark {
        ChannelOptions.Types.WriteBufferWaterMark(low: self.low, high: self.high)
    }
}

/// A channel that is being connected.
private final class PendingChannel: PendingConnection {
    private var completion: (((any ByteStream)?) -> Void)?

    init(_ completion: @escaping ((any ByteStream)?) -> Void) {
        self.completion = completion
    }

    func cancel() { self.completion = nil }

    func finish(_ stream: ChannelStream?, _ channel: (any Channel)?) {
        guard let completion = self.completion else {
            channel?.close(promise: nil)
            return
        }
        self.completion = nil
        completion(stream)
    }
}
