/// Requests that wait for the same connection to an instance that speaks HTTP/2: one is made for all of them.
final class SharedConnecting {
    private var waiting: [(id: Int, completion: (HTTP2InstanceConnection?) -> Void)] = []
    private var lastID = 0
    private var connecting: (any PendingConnection)?

    /// Waits for the connection. The first one has it made.
    ///
    /// - Parameter connect: starts, and calls back with the connection or nil.
    func wait(
        _ completion: @escaping (HTTP2InstanceConnection?) -> Void,
        connect: (@escaping (HTTP2InstanceConnection?) -> Void) -> any PendingConnection
    ) -> any PendingConnection {
        self.lastID += 1
        let id = self.lastID
        self.waiting.append((id, completion))
        if self.waiting.count == 1 {
            var isOver = false
            let connecting = connect { connection in
                isOver = true
                self.connecting = nil
                let waiting = self.waiting
                self.waiting = []
                for waiter in waiting { waiter.completion(connection) }
            }
            if !isOver { self.connecting = connecting }
        }
        return Waiter(self, id)
    }

    private func cancel(_ id: Int) {
        self.waiting.removeAll { $0.id == id }
        guard self.waiting.isEmpty, let connecting = self.connecting else { return }
        self.connecting = nil
        connecting.cancel()
    }

    private final class Waiter: PendingConnection {
        private let shared: SharedConnecting
        private let id: Int

        init(_ shared: SharedConnecting, _ id: Int) {
            self.shared = shared
            self.id = id
        }

        func cancel() { self.shared.cancel(self.id) }
    }
}
