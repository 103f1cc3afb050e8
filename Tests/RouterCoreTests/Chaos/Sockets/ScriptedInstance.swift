import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// An instance whose every connection follows a script.
final class ScriptedInstance: Sendable {
    let port: Int
    private let descriptor: Int32
    private let accepted = Atomic(0)
    private let scripts = DispatchGroup()

    /// - Parameters:
    ///   - backlog: how many connections the kernel holds until they are accepted.
    ///   - accepts: whether connections are accepted at all.
    ///   - script: gets each connection with its number, from 1. The connection is closed when it returns.
    init(
        buffers: ScriptSocket.Buffers = .init(), backlog: Int32 = 256, accepts: Bool = true,
        _ script: @escaping @Sendable (ScriptSocket, Int) throws -> Void
    ) throws {
        self.descriptor = ScriptSocket.socket(buffers)
        var address = ScriptSocket.loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = self.descriptor
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) | listen(descriptor, backlog) | getsockname(descriptor, $0, &length)
            }
        }
        guard result == 0 else { throw ScriptSocket.Failure(description: "listen: \(errno)") }
        self.port = Int(UInt16(bigEndian: address.sin_port))
        guard accepts else { return }
        self.scripts.enter()
        let group = self.scripts
        Thread.detachNewThread { [weak self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                if connection < 0 { break }
                let number = (self?.accepted.add(1, ordering: .relaxed).newValue) ?? 0
                let socket = ScriptSocket(connection)
                group.enter()
                let thread = Thread {
                    try? script(socket, number)
                    socket.end()
                    group.leave()
                }
                thread.stackSize = 512 << 10
                thread.start()
            }
            group.leave()
        }
    }

    deinit { close(self.descriptor) }

    /// How many connections it has accepted.
    var connections: Int { self.accepted.load(ordering: .relaxed) }

    /// Accepts no more, and waits until every script has ended.
    func stop() async {
        shutdown(self.descriptor, Int32(SHUT_RDWR))
        _ = try? await onThread { [scripts] in scripts.wait() }
    }
}
