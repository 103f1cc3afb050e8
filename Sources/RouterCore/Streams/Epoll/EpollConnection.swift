#if os(Linux)
    import CRouterIO
    import NIOCore
    import NIOPosix

    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Musl)
        import Musl
    #endif

    /// A connection to an instance that is being made.
    final class EpollConnection: PendingConnection {
        private let loop: EpollLoop
        private var completion: (((any ByteStream)?) -> Void)?
        private var stream: EpollStream?

        init(_ loop: EpollLoop, completion: @escaping ((any ByteStream)?) -> Void) {
            self.loop = loop
            self.completion = completion
        }

        func start(_ instance: Instance) {
            if let address = instance.socketAddress {
                self.connect(to: address)
            } else if case .ip(let host, let port) = instance.address {
                self.resolve(host, port)
            } else {
                self.finish(nil)
            }
        }

        func cancel() {
            self.completion = nil
            self.stream?.close()
            self.stream = nil
        }

        /// Looks a name up on a thread that may wait.
        private func resolve(_ host: String, _ port: Int) {
            let bound = LoopBound(self, self.loop)
            self.loop.blocking.submit { _ in
                let address = try? SocketAddress.makeAddressResolvingHost(host, port: port)
                bound.execute { connection in
                    if let address { connection.connect(to: address) } else { connection.finish(nil) }
                }
            }
        }

        private func connect(to address: SocketAddress) {
            guard self.completion != nil else { return }
            let descriptor = slipway_io_socket(Int32(address.protocol.rawValue))
            guard descriptor >= 0 else { return self.finish(nil) }
            let error = address.withSockAddr { slipway_io_connect(descriptor, $0, UInt32($1)) }
            guard error == 0 || error == EINPROGRESS else {
                slipway_io_close(descriptor)
                return self.finish(nil)
            }
            if address.port != nil { _ = slipway_io_no_delay(descriptor) }
            let stream = EpollStream(descriptor, on: self.loop)
            guard stream.start(connecting: error == 0 ? nil : self) else {
                stream.close()
                return self.finish(nil)
            }
            if error == 0 { self.finish(stream) } else { self.stream = stream }
        }

        /// The kernel has an answer.
        func ended(error: Int32) {
            guard let stream = self.stream else { return }
            self.stream = nil
            if error == 0 { return self.finish(stream) }
            stream.close()
            self.finish(nil)
        }

        private func finish(_ stream: EpollStream?) {
            let completion = self.completion
            self.completion = nil
            completion?(stream)
        }
    }
#endif
