import CRouterIO
import NIOCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A socket on which the kernel takes connections for the router, from when it is made until every process that has it
/// has closed it. Whether anybody accepts them is another matter: until then they wait.
final class ListeningSocket: Sendable {
    let listener: Router.Listener
    let descriptor: Int32
    /// Where it listens, as the kernel has it.
    let address: BackendAddress
    let port: Int
    private let isOpen = Atomic(true)

    /// Listens at a listener's address, or takes over the descriptor that the listener names.
    ///
    /// - Throws: ``RouterError`` when the address cannot be had, or the descriptor is no listening socket.
    convenience init(_ listener: Router.Listener, backlog: Int32) throws(RouterError) {
        if let descriptor = listener.descriptor {
            try self.init(listener, adopting: descriptor, backlog: backlog)
            return
        }
        do {
            let wanted = try SocketAddress.makeAddressResolvingHost(listener.host, port: listener.port)
            let descriptor = wanted.withSockAddr { slipway_io_listen($0, UInt32($1), backlog) }
            guard descriptor >= 0 else { throw IOError(errnoCode: -descriptor, reason: "listen") }
            self.init(listener, owning: descriptor)
        } catch {
            throw RouterError.cannotListen(listener, error)
        }
    }

    /// Takes over a socket that listens already. When it is not one, it stays the caller's.
    convenience init(_ listener: Router.Listener, adopting descriptor: Int32, backlog: Int32) throws(RouterError) {
        let result = slipway_io_adopt_listener(descriptor, backlog)
        guard result >= 0, Self.localAddress(descriptor) != nil else {
            throw RouterError(
                .cannotListen,
                "Descriptor \(descriptor), which the router was given, is not a TCP socket that listens. Was it passed on "
                    + "to this process?", cause: result < 0 ? IOError(errnoCode: -result, reason: "adopt") : nil)
        }
        self.init(listener, owning: descriptor)
    }

    private init(_ listener: Router.Listener, owning descriptor: Int32) {
        self.listener = listener
        self.descriptor = descriptor
        let local = Self.localAddress(descriptor)
        self.port = local?.port ?? listener.port
        self.address = .ip(host: local?.ipAddress ?? listener.host, port: self.port)
    }

    deinit { self.close() }

    /// Lets go of it. It goes on listening where another process has it as well.
    func close() {
        if self.isOpen.exchange(false, ordering: .sequentiallyConsistent) { slipway_io_close(self.descriptor) }
    }

    /// By what routers that hand it over know it: the address as it was configured.
    var name: String {
        self.listener.descriptor == nil
            ? BackendAddress.ip(host: self.listener.host, port: self.listener.port).description
            : self.address.description
    }

    private static func localAddress(_ descriptor: Int32) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = UInt32(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { slipway_io_local_address(descriptor, $0, &length) }
        return result == 0 ? SocketAddress(storage) : nil
    }
}

extension SocketAddress {
    /// The address that the kernel wrote; nil for one that is not IP.
    init?(_ storage: sockaddr_storage) {
        var storage = storage
        switch Int32(storage.ss_family) {
        case AF_INET:
            self = withUnsafePointer(to: &storage) {
                $0.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee) }
            }
        case AF_INET6:
            self = withUnsafePointer(to: &storage) {
                $0.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { SocketAddress($0.pointee) }
            }
        default: return nil
        }
    }
}
