#if os(Linux)
    import CRouterIO
    import NIOCore

    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Musl)
        import Musl
    #endif

    /// A listening socket on one loop. It accepts for all loops and hands the connections round, which keeps them even;
    /// several loops that wait on one socket do not (the kernel prefers the one that waited first).
    final class EpollListener: ConnectionSource {
        /// So many connections in a row, then others have their turn.
        private static let acceptsPerTurn = 64

        let descriptor: Int32
        private let loop: EpollLoop
        private let accepted: (Int32, SocketAddress?) -> Void
        private var isPaused = false

        /// - Parameter accepted: takes over each connection's descriptor.
        init(
            _ descriptor: Int32, on loop: EpollLoop, accepted: @escaping (Int32, SocketAddress?) -> Void
        ) {
            self.descriptor = descriptor
            self.loop = loop
            self.accepted = accepted
        }

        func start() { self.loop.register(self) }

        /// Stops accepting; the socket stays open for whoever has it as well.
        func stop() { self.loop.unregister(self.descriptor) }

        func accept() {
            for _ in 0..<Self.acceptsPerTurn {
                var storage = sockaddr_storage()
                var length = UInt32(MemoryLayout<sockaddr_storage>.size)
                let descriptor = withUnsafeMutablePointer(to: &storage) {
                    slipway_io_accept(self.descriptor, $0, &length)
                }
                if descriptor < 0 {
                    // Without descriptors nothing can be accepted, and the event would come again at once.
                    if descriptor == -EMFILE || descriptor == -ENFILE || descriptor == -ENOBUFS || descriptor == -ENOMEM
                    {
                        self.pause()
                    }
                    return
                }
                self.accepted(descriptor, SocketAddress(storage))
            }
        }

        private func pause() {
            guard !self.isPaused else { return }
            self.isPaused = true
            self.stop()
        }

        /// Called with every tick: descriptors may be free again.
        func resume() {
            guard self.isPaused else { return }
            self.isPaused = false
            self.start()
        }
    }
#endif
