import Crypto
import Foundation

/// As much of the WebSocket protocol (RFC 6455) as an instance needs that echoes short messages.
enum WebSocketFrames {
    /// What proves to a client that its key was read.
    static func accept(_ key: String) -> String {
        let text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        return Data(Insecure.SHA1.hash(data: Data(text.utf8))).base64EncodedString()
    }

    /// Answers a connection's messages until the client says goodbye, which is answered, too.
    static func echo(on socket: ScriptSocket) throws {
        while true {
            let (opcode, payload) = try self.read(socket)
            try socket.write([0x80 | opcode, UInt8(payload.count)] + payload)
            if opcode == 8 { return }
        }
    }

    private static func read(_ socket: ScriptSocket) throws -> (opcode: UInt8, payload: [UInt8]) {
        let head = try socket.readBytes(count: 2)
        let count = Int(head[1] & 0x7F)
        guard count < 126, head[1] & 0x80 != 0 else {
            throw ScriptSocket.Failure(description: "a message that is long, or not masked")
        }
        let mask = try socket.readBytes(count: 4)
        let payload = try socket.readBytes(count: count).enumerated().map { $1 ^ mask[$0 % 4] }
        return (head[0] & 0x0F, payload)
    }
}
