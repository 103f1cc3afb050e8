import NIOCore
import NIOPosix

/// Sends some bytes over a connection of its own and returns the first that come back.
func rawExchange(_ url: String, _ text: String) async throws -> String {
    let parts = url.dropFirst("http://".count).split(separator: ":")
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connect(host: String(parts[0]), port: Int(parts[1]) ?? 0) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
    return try await channel.executeThenClose { inbound, outbound in
        try await outbound.write(ByteBuffer(string: text))
        for try await bytes in inbound { return String(buffer: bytes) }
        return ""
    }
}
