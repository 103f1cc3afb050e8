#if os(Linux)
    import Foundation
    import Logging
    import SystemPackage
    import TestSupport
    import Testing

    @testable import RouterCore

    @Suite(.timeLimit(.minutes(1))) struct `A router that stops while another asks for its sockets` {
        private static func connect(to path: FilePath) throws -> Int32 {
            let type = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            let descriptor = socket(AF_UNIX, type, 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.string.utf8) }
            let result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            try #require(result == 0)
            return descriptor
        }

        /// Whatever the order: who is offered sockets gets them, although they are closed right after.
        @Test func `offers them, or nothing`() async throws {
            try await withTemporaryDirectory { directory in
                for round in 0..<200 {
                    let location = directory.appending("router.sock")
                    let path = try HandoverPath(location)
                    let socket = try ListeningSocket(Router.Listener(host: "127.0.0.1", port: 0), backlog: 8)
                    let desk = try HandoverDesk(
                        path, [socket], Router.Handover(path: location), logger: Logger(label: "test"))
                    try path.publish()
                    let connection = HandoverConnection(try Self.connect(to: location))
                    try connection.send(.hello)
                    desk.start()
                    // So that the stop meets the desk at different places.
                    for _ in 0..<round * 4 { await Task.yield() }
                    await desk.release()
                    socket.close()
                    await desk.stop()
                    do throws(HandoverConnection.Failure) {
                        let received = try connection.receive()
                        switch received.message {
                        case .offer(let names):
                            #expect(names.count == 1 && received.descriptors.all.count == 1, "round \(round)")
                        case .refusal: break
                        case .hello, .ready, .released: Issue.record("round \(round): an offer has been lost")
                        }
                    } catch {
                        // It was not even let in, or before it was read.
                        #expect(error == .ended || error == .system(EAGAIN), "round \(round)")
                    }
                }
            }
        }

        @Test func `does not wait for a desk that has closed`() async throws {
            try await withTemporaryDirectory { directory in
                let location = directory.appending("router.sock")
                let desk = try HandoverDesk(
                    try HandoverPath(location), [], Router.Handover(path: location), logger: Logger(label: "test"))
                desk.start()
                await desk.stop()
                await desk.release()
            }
        }
    }
#endif
