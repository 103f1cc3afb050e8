/// Asks whether an instance accepts connections, over TCP or at its Unix socket.
///
/// It says less than ``HTTPHealthProbe``: the kernel accepts for a process that hangs. It is for instances that do not
/// speak HTTP/1.1.
public struct TCPHealthProbe: HealthProbe {
    /// Makes one.
    public init() {}

    /// Connects, and closes.
    public func check(_ backend: Backend) async -> HealthReport { await ProbeConnection.ask(backend.address, nil) }
}
