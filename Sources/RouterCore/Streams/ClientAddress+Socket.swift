import NIOCore

extension ClientAddress {
    /// The address of a socket's other end.
    init(_ address: SocketAddress) {
        self = address.ipAddress.flatMap { ClientAddress($0) } ?? .unknown
    }
}
