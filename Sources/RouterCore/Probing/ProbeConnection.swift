import NIOCore
import NIOPosix

/// A connection for one probe.
enum ProbeConnection {
    /// Connects, sends the request if there is one, and reads its answer until there is a report.
    ///
    /// When the task is cancelled, it returns at once, and an attempt to connect ends with it: that is how a probe's time
    /// is limited. Without a limit, an attempt ends after 10 s.
    static func ask(
        _ address: BackendAddress, _ exchange: (request: ByteBuffer, answer: ProbeAnswer)?, on threads: ProbeThreads
    ) async -> HealthReport {
        let report = threads.loop.makePromise(of: HealthReport.self)
        threads.resolve(address) { result in
            switch result {
            case .success(let address): self.connect(to: address, exchange, report)
            case .failure(let error): report.succeed(.failed("did not accept a connection: \(error)"))
            }
        }
        return await withTaskCancellationHandler {
            (try? await report.futureResult.get()) ?? .failed("was not asked")
        } onCancel: {
            report.succeed(.failed("was given up"))
        }
    }

    private static func connect(
        to address: SocketAddress, _ exchange: (request: ByteBuffer, answer: ProbeAnswer)?,
        _ report: EventLoopPromise<HealthReport>
    ) {
        ClientBootstrap(group: report.futureResult.eventLoop)
            .connectTimeout(.seconds(10))
            .channelInitializer { channel in
                // Whether it is connected by then or not.
                report.futureResult.whenComplete { _ in channel.close(promise: nil) }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ProbeHandler(exchange?.request, exchange?.answer, report))
                }
            }
            .connect(to: address)
            .whenFailure { report.succeed(.failed("did not accept a connection: \($0)")) }
    }
}

/// Of several reports the first one counts.
private final class ProbeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let request: ByteBuffer?
    private var answer: ProbeAnswer?
    private let report: EventLoopPromise<HealthReport>

    init(_ request: ByteBuffer?, _ answer: ProbeAnswer?, _ report: EventLoopPromise<HealthReport>) {
        self.request = request
        self.answer = answer
        self.report = report
    }

    func channelActive(context: ChannelHandlerContext) {
        guard let request = self.request else { return self.report.succeed(.passed) }
        context.writeAndFlush(self.wrapOutboundOut(request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let report = self.answer?.receive(self.unwrapInboundIn(data)) { self.report.succeed(report) }
    }

    func channelInactive(context: ChannelHandlerContext) { self.report.succeed(self.answer?.ended() ?? .passed) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.report.succeed(.failed("broke the connection: \(error)"))
        context.close(promise: nil)
    }
}
