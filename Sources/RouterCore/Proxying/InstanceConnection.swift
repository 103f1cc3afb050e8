import NIOCore

/// A connection to an instance: hands bytes to the exchange that has it at the moment.
final class InstanceConnection: ByteStreamHandler {
    let instance: Instance
    let stream: any ByteStream
    /// Who is served; nil while idle.
    var owner: Exchange?
    /// Where it waits while idle.
    var pool: InstanceConnections?
    var idleSince: UInt64 = 0

    private var sawEnd = false

    init(_ instance: Instance, _ stream: any ByteStream) {
        self.instance = instance
        self.stream = stream
        stream.handler = self
    }

    var wantsBytes: Bool { self.owner?.client.canTakeMore ?? true }

    func received(_ bytes: ByteBuffer) {
        guard let owner = self.owner else {
            // An instance that speaks without being asked cannot be believed afterwards.
            self.leavePool()
            self.stream.close()
            return
        }
        owner.upstreamBytes(bytes)
    }

    func ended() {
        self.sawEnd = true
        if let owner = self.owner {
            owner.upstreamEnded(broke: false)
        } else {
            self.leavePool()
            self.stream.close()
        }
    }

    func becameWritable() { self.owner?.upstreamBecameWritable() }

    func closed(broke: Bool) {
        self.leavePool()
        self.owner?.upstreamClosed(broke: broke && !self.sawEnd)
    }

    private func leavePool() {
        self.pool?.remove(self)
    }
}
