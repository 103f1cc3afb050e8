import NIOCore
import NIOPosix
import RouterCore
import Synchronization

/// An instance on the loopback that accepts connections and does nothing useful with them.
struct UnhelpfulInstance: Sendable {
    /// What it does with a connection.
    enum Habit {
        case closes
        case isSilent
        /// Sends without an end, as fast as it is read.
        case floods
    }

    let backend: Backend
    fileprivate let visitors: Visitors

    /// How many connections there have been.
    var connections: Int { self.visitors.count.withLock { $0 } }

    /// Returns when there is a connection, or the task is cancelled. For one caller, once.
    func waitForConnection() async {
        for await _ in self.visitors.arrivals { return }
    }
}

/// Gives an instance that is there until the closure returns.
func withInstance<R>(
    _ habit: UnhelpfulInstance.Habit, _ body: (UnhelpfulInstance) async throws -> R
) async throws -> R {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    do {
        let visitors = Visitors()
        let server = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(HabitHandler(habit, visitors))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let backend = Backend(
            id: BackendID("unhelpful"), address: .ip(host: "127.0.0.1", port: server.localAddress?.port ?? 0))
        let result = try await body(UnhelpfulInstance(backend: backend, visitors: visitors))
        try await group.shutdownGracefully()
        return result
    } catch {
        try? await group.shutdownGracefully()
        throw error
    }
}

private final class Visitors: Sendable {
    let count = Mutex(0)
    let arrivals: AsyncStream<Void>
    private let arrival: AsyncStream<Void>.Continuation

    init() { (self.arrivals, self.arrival) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    func note() {
        self.count.withLock { $0 += 1 }
        self.arrival.yield()
    }
}

private final class HabitHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let block = ByteBuffer(repeating: UInt8(ascii: "x"), count: 16_384)

    private let habit: UnhelpfulInstance.Habit
    private let visitors: Visitors

    init(_ habit: UnhelpfulInstance.Habit, _ visitors: Visitors) {
        self.habit = habit
        self.visitors = visitors
    }

    func channelActive(context: ChannelHandlerContext) {
        self.visitors.note()
        switch self.habit {
        case .closes: context.close(promise: nil)
        case .isSilent: break
        case .floods: self.fill(context)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if self.habit == .floods { self.fill(context) }
    }

    private func fill(_ context: ChannelHandlerContext) {
        while context.channel.isActive, context.channel.isWritable {
            context.writeAndFlush(self.wrapOutboundOut(Self.block), promise: nil)
        }
    }
}
