internal import NIOCore
internal import PlatformKit
internal import PlatformWire

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Where a long operation's progress goes: events as lines of JSON.
struct EventOutput<Result: Codable & Sendable>: ProgressOutput {
    let channel: HandoffChannel<ByteBuffer>

    func line(_ text: String) async throws {
        // An empty line would read as a sign of life, and one with line ends would be two.
        for line in text.split(separator: "\n", omittingEmptySubsequences: true) {
            try await self.send(.line(String(line)))
        }
    }

    func output(_ bytes: [UInt8]) async throws {
        try await self.send(.output(Data(bytes)))
    }

    func send(_ event: StreamEvent<Result>) async throws {
        try await self.channel.send(try ByteBuffer(line: event))
    }
}

extension ByteBuffer {
    /// A value as one line of JSON.
    init(line value: some Encodable) throws {
        self.init(bytes: try WireJSON.encode(value))
        self.writeInteger(UInt8(ascii: "\n"))
    }
}
