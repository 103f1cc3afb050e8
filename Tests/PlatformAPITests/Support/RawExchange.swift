import NIOCore
import NIOPosix

/// Sends some bytes over a connection of its own and returns the first that come back. With `thenClose`, says that no more
/// will come.
func rawExchange(_ url: String, _ text: String, thenClose: Bool = false) async throws -> String {
    let parts = url.dropFirst("http://".count).split(separator: ":")
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .channelOption(.allowRemoteHalfClosure, value: true)
        .connect(host: String(parts[0]), port: Int(parts[1]) ?? 0) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                    wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
            }
        }
    return try await channel.executeThenClose { inbound, outbound in
        try await outbound.write(ByteBuffer(string: text))
        if thenClose { outbound.finish() }
        for try await bytes in inbound { return String(buffer: bytes) }
        return ""
    }
}
