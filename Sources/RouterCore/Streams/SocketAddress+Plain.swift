import NIOCore

extension SocketAddress {
    /// The IP address as text; an IPv4 address that came through an IPv6 socket in its own form.
    var plainIPAddress: String? {
        guard let address = self.ipAddress else { return nil }
        return address.hasPrefix("::ffff:") && address.contains(".") ? String(address.dropFirst(7)) : address
    }
}
