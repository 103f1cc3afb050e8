internal import NIOCore
internal import NIOWebSocket
public import PlatformWire

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// What a one-off that this program is attached to is connected to.
public struct AttachedSession: Sendable {
    /// Gets its output as it comes, byte for byte. A call that takes its time slows the command down; one that throws ends
    /// the session.
    public var output: @Sendable ([UInt8]) async throws -> Void
    /// Asked for the next piece of input; answers `nil` at its end. Is cancelled when the command has ended.
    public var input: (@Sendable () async throws -> [UInt8]?)?
    /// The sizes of the terminal, as they change.
    public var windows: AsyncStream<TerminalWindow>?

    /// Makes one that has output alone.
    public init(output: @escaping @Sendable ([UInt8]) async throws -> Void) { self.output = output }
}

extension APIClient {
    /// Runs a command with the live release, attached to this program: with input, and with a terminal if the request says
    /// so. Returns when it has ended.
    ///
    /// When the task is cancelled or the connection is lost, the host ends the command, unless it is to be kept.
    public func run(
        _ request: OneOffRequest, of application: String, session: AttachedSession
    ) async throws -> OneOffResult {
        let call = Call(.get, "apps", application, "run")
        return try await self.withSocket(call) { inbound, outbound in
            let socket = ClientSocketWriter(outbound: outbound)
            try await socket.text(request)
            return try await withThrowingTaskGroup(of: Void.self) { group in
                defer { group.cancelAll() }
                group.addTask { try await socket.send(session.input) }
                if let windows = session.windows {
                    group.addTask {
                        for await window in windows { try await socket.text(OneOffMessage(window: window)) }
                    }
                }
                return try await self.result(inbound, socket, session)
            }
        }
    }

    /// The one-offs of an application that run.
    public func oneOffs(of application: String) async throws -> [OneOffInfo] {
        try await self.value(Call(.get, "apps", application, "runs"))
    }

    private func result(
        _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>, _ socket: ClientSocketWriter,
        _ session: AttachedSession
    ) async throws -> OneOffResult {
        for try await frame in inbound {
            let data = frame.unmaskedData
            switch frame.opcode {
            case .binary:
                try await session.output(Array(data.readableBytesView))
            case .text:
                switch try WireJSON.decode(StreamEvent<OneOffResult>.self, from: Data(data.readableBytesView)) {
                case .result(let result): return result
                case .problem(let problem): throw problem
                case .line, .output: continue
                }
            case .ping:
                try await socket.write(.pong, data)
            default:
                continue
            }
        }
        throw ClientError(
            .interrupted,
            "The connection to \(self.configuration.url) ended before the command did. It was ended as well, unless it was to "
                + "be kept; `slipway run --list` tells.")
    }
}

/// Writes the client's messages, one after the other.
private struct ClientSocketWriter: Sendable {
    let outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>

    func write(_ opcode: WebSocketOpcode, _ data: ByteBuffer) async throws {
        try await self.outbound.write(WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data))
    }

    func text(_ value: some Encodable) async throws {
        try await self.write(.text, ByteBuffer(bytes: try WireJSON.encode(value)))
    }

    /// Passes all input on, and says when there is no more.
    func send(_ input: (@Sendable () async throws -> [UInt8]?)?) async throws {
        while let input, let bytes = try await input() {
            // Small enough for any limit of the host.
            var rest = bytes[...]
            while !rest.isEmpty {
                try await self.write(.binary, ByteBuffer(bytes: rest.prefix(32 << 10)))
                rest = rest.dropFirst(32 << 10)
            }
        }
        try await self.text(OneOffMessage(endOfInput: true))
    }
}
