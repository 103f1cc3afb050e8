/// One loop's idle connections to one instance.
final class InstanceConnections {
    let instance: Instance
    /// The most recently used last: it is taken first, and the others grow old and are closed.
    private let ownedIdle = Owned<[InstanceConnection]>([])
    /// Those that speak HTTP/2, and can be shared.
    private var shared: [HTTP2InstanceConnection] = []
    /// A further one of these that is being made.
    private(set) lazy var connecting = SharedConnecting()

    init(_ instance: Instance) {
        self.instance = instance
    }

    private var idle: [InstanceConnection] {
        @inline(__always) unsafeAddress { UnsafePointer(self.ownedIdle.pointer) }
        @inline(__always) unsafeMutableAddress { self.ownedIdle.pointer }
    }

    // MARK: HTTP/1

    func push(_ upstream: InstanceConnection, now: UInt64, limit: Int) {
        guard self.idle.count < limit else {
            upstream.stream.close()
            return
        }
        upstream.idleSince = now
        upstream.pool = self
        self.idle.append(upstream)
    }

    /// The connection used last, if it has been idle for at most `maximum` nanoseconds.
    func pop(now: UInt64, maximum: UInt64) -> InstanceConnection? {
        guard let last = self.idle.last, now &- min(now, last.idleSince) <= maximum else { return nil }
        self.idle.removeLast()
        last.pool = nil
        return last
    }

    /// A connection closed by itself.
    func remove(_ upstream: InstanceConnection) {
        upstream.pool = nil
        self.idle.removeAll { $0 === upstream }
    }

    // MARK: HTTP/2

    /// A connection with room for a further request.
    var sharedWithRoom: HTTP2InstanceConnection? { self.shared.first { $0.hasRoom } }

    func add(_ connection: HTTP2InstanceConnection) {
        connection.pool = self
        self.shared.append(connection)
    }

    func remove(_ connection: HTTP2InstanceConnection) {
        self.shared.removeAll { $0 === connection }
    }

    /// Lets shared connections go that have had nothing to do since then.
    func leaveShared(before deadline: UInt64) {
        for connection in self.shared where connection.isIdle && connection.idleSince < deadline { connection.leave() }
    }

    // MARK: Time and the end

    func closeIdle(before deadline: UInt64) {
        guard let first = self.idle.first, first.idleSince < deadline else { return }
        let count = self.idle.firstIndex { $0.idleSince >= deadline } ?? self.idle.count
        let old = self.idle[..<count]
        self.idle.removeFirst(count)
        for upstream in old {
            upstream.pool = nil
            upstream.stream.close()
        }
    }

    func closeAll() {
        // Somebody waits for those that are not ready; they leave when they have served.
        for connection in self.shared where connection.isReady { connection.leave() }
        let all = self.idle
        self.idle = []
        for upstream in all {
            upstream.pool = nil
            upstream.stream.close()
        }
    }
}
