/// Asks whether an instance accepts connections, over TCP or at its Unix socket.
///
/// It says less than ``HTTPHealthProbe``: the kernel accepts for a process that hangs. It is for instances that do not
/// speak HTTP/1.1.
public struct TCPHealthProbe: ConnectingProbe {
    /// Makes one.
    public init() {}

    /// Connects, and closes. A ``HealthMonitor`` has its probes share a thread; called by somebody else, it makes one for
    /// itself.
    public func check(_ backend: Backend) async -> HealthReport { await self.checkAlone(backend) }

    func check(_ backend: Backend, on threads: ProbeThreads) async -> HealthReport {
        await ProbeConnection.ask(backend.address, nil, on: threads)
    }
}
