import NIOCore
import NIOPosix
import Synchronization

/// Where the connections of probes live: one thread for them, and some that look up names.
final class ProbeThreads: Sendable {
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let lookups = NIOThreadPool(numberOfThreads: 4)
    private let isEnded = Mutex(false)
    let loop: any EventLoop

    private init() {
        self.loop = self.group.next()
        self.lookups.start()
    }

    /// Makes threads that are there until the closure returns; the probes in it must have ended by then.
    static func run<R>(_ body: (ProbeThreads) async throws -> R) async rethrows -> R {
        let threads = ProbeThreads()
        do {
            let result = try await body(threads)
            await threads.stop()
            return result
        } catch {
            await threads.stop()
            throw error
        }
    }

    /// A name that is being looked up cannot be given up, and is not waited for: it comes back to nobody.
    private func stop() async {
        self.isEnded.withLock { $0 = true }
        self.lookups.shutdownGracefully { _ in }
        try? await self.group.shutdownGracefully()
    }

    /// Looks an address up and has the loop do something with it, unless there is no loop any more.
    func resolve(_ address: BackendAddress, then work: @escaping @Sendable (Result<SocketAddress, any Error>) -> Void) {
        let finish = { @Sendable (result: Result<SocketAddress, any Error>) in
            self.isEnded.withLock { isEnded in
                if !isEnded { self.loop.execute { work(result) } }
            }
        }
        switch address {
        case .unix(let path): finish(Result { try SocketAddress(unixDomainSocketPath: path) })
        case .ip(let host, let port):
            if let known = try? SocketAddress(ipAddress: host, port: port) { return finish(.success(known)) }
            self.lookups.submit { _ in
                finish(Result { try SocketAddress.makeAddressResolvingHost(host, port: port) })
            }
        }
    }
}

/// A probe that connects by itself, on threads which it is given: a monitor has all of its probes share some.
protocol ConnectingProbe: HealthProbe {
    func check(_ backend: Backend, on threads: ProbeThreads) async -> HealthReport
}

extension ConnectingProbe {
    /// A probe by itself.
    func checkAlone(_ backend: Backend) async -> HealthReport {
        await ProbeThreads.run { await self.check(backend, on: $0) }
    }
}
