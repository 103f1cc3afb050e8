#if os(Linux)
    import CRouterIO
    import NIOCore

    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Musl)
        import Musl
    #endif

    /// One end of the connection between two routers. One thread uses it at a time.
    struct HandoverConnection: ~Copyable {
        /// What arrived, with descriptors that the receiver closes or keeps.
        struct Received: ~Copyable {
            var message: HandoverMessage
            var descriptors: Descriptors
        }

        /// Open descriptors, which are closed unless somebody takes them.
        struct Descriptors: ~Copyable {
            private(set) var all: [Int32]

            init(_ all: [Int32]) { self.all = all }

            mutating func take() -> [Int32] {
                defer { self.all = [] }
                return self.all
            }

            deinit { for descriptor in self.all { slipway_io_close(descriptor) } }
        }

        let descriptor: Int32

        /// Takes over a connected socket.
        init(_ descriptor: Int32) { self.descriptor = descriptor }

        deinit { slipway_io_close(self.descriptor) }

        /// Who is at the other end, if the system says so.
        var peer: (user: UInt32, process: Int32)? {
            var (user, process) = (UInt32(0), Int32(0))
            return slipway_io_peer(self.descriptor, &user, &process) == 0 ? (user, process) : nil
        }

        /// Sends a message; it is small, and the peer has read the one before.
        func send(_ message: HandoverMessage, _ descriptors: [Int32] = []) throws(IOError) {
            let bytes = message.encoded()
            let result = bytes.withUnsafeReadableBytes {
                slipway_io_send_message(
                    self.descriptor, $0.baseAddress, $0.count, descriptors, Int32(descriptors.count))
            }
            guard result >= 0 else { throw IOError(errnoCode: Int32(-result), reason: "sendmsg") }
        }

        enum Failure: Error, Equatable {
            /// The other end has closed, or its process has ended.
            case ended
            case system(Int32)
            case malformed(HandoverMessage.Malformed)
            case refused(String)
        }

        /// The message that has arrived.
        func receive() throws(Failure) -> Received {
            var passed = [Int32](repeating: -1, count: Int(SLIPWAY_MAX_DESCRIPTORS))
            var count = Int32(0)
            var bytes = ByteBuffer()
            var result = 0
            bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: HandoverMessage.maxBytes) { space in
                result = slipway_io_receive_message(
                    self.descriptor, space.baseAddress, HandoverMessage.maxBytes, &passed, &count)
                return max(0, result)
            }
            let descriptors = Descriptors(Array(passed[..<Int(count)]))
            guard result >= 0 else { throw result == -Int(ECONNRESET) ? .ended : .system(Int32(-result)) }
            guard result > 0 else { throw .ended }
            do throws(HandoverMessage.Malformed) {
                return Received(message: try HandoverMessage(bytes), descriptors: descriptors)
            } catch {
                throw .malformed(error)
            }
        }

        /// Waits for a message; nil when none has come within this time.
        func receive(within limit: Duration) throws(Failure) -> Received? {
            var waiting = pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0)
            let deadline = NIODeadline.now().uptimeNanoseconds &+ limit.nanosecondsClamped
            while true {
                let now = NIODeadline.now().uptimeNanoseconds
                guard now < deadline else { return nil }
                let count = poll(&waiting, 1, Int32(clamping: (deadline - now) / 1_000_000 + 1))
                if count > 0 { return try self.receive() }
                if count < 0, errno != EINTR { throw .system(errno) }
            }
        }
    }
#endif
