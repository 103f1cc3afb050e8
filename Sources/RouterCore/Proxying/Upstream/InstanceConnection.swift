import NIOCore

/// A connection to an instance that speaks HTTP/1: hands bytes to the exchange that has it at the moment.
final class InstanceConnection: InstanceSide, ByteStreamHandler {
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

    // MARK: What the exchange asks for

    var canTakeMore: Bool { self.stream.isWritable }
    var bufferedBytes: Int { self.stream.bufferedBytes }

    func send(_ bytes: ByteBuffer) { self.stream.write(bytes) }
    func sendHead(_ head: ByteBuffer, ends: Bool) { self.stream.write(head) }
    func sendEnd(trailers: ByteBuffer) {}
    func flush() { self.stream.flush() }
    func endOutput() { self.stream.closeOutput() }
    func resumeReading() { self.stream.resumeReading() }

    func release(_ manner: ReleaseManner, to worker: Worker) {
        switch manner {
        case .reuse:
            self.stream.resumeReading()
            worker.keep(self)
        case .closeAfterWriting: worker.closeAfterWriting(self.stream)
        case .abandon: self.stream.close()
        }
    }

    // MARK: What the stream says

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
