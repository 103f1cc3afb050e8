/// Connections to instances that close once their last bytes are written, and that no exchange waits for any more.
///
/// An instance need not take those bytes. So what they hold is let go of when nothing of it has moved for some time, and
/// when there are too many of them; a client could otherwise come and go, and leave one behind each time.
struct DepartingConnections {
    private struct Departing {
        var stream: any ByteStream
        var left: Int
        var since: UInt64
    }

    /// So many at most, on each loop; of more, the oldest goes.
    static var limit: Int { 1024 }

    private var connections: [Departing] = []

    var count: Int { self.connections.count }

    /// - Returns: a stream that is to be closed for this one.
    mutating func add(_ stream: any ByteStream, now: UInt64) -> (any ByteStream)? {
        self.connections.append(Departing(stream: stream, left: stream.bufferedBytes, since: now))
        return self.connections.count > Self.limit ? self.connections.removeFirst().stream : nil
    }

    /// Forgets those that have closed, and returns those of which nothing has moved for more than so many nanoseconds.
    mutating func overdue(now: UInt64, limit: UInt64) -> [any ByteStream] {
        var overdue: [any ByteStream] = []
        self.connections = self.connections.compactMap { connection in
            var connection = connection
            let left = connection.stream.bufferedBytes
            guard left > 0 else { return nil }
            if left != connection.left { (connection.left, connection.since) = (left, now) }
            guard now &- min(now, connection.since) > limit else { return connection }
            overdue.append(connection.stream)
            return nil
        }
        return overdue
    }

    /// Gives up all of them.
    mutating func removeAll() -> [any ByteStream] {
        defer { self.connections = [] }
        return self.connections.map(\.stream)
    }
}
