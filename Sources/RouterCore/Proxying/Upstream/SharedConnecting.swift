/// Requests that wait for room on a connection to an instance that speaks HTTP/2: one is made for as many of them as it
/// takes, then another one for the rest.
final class SharedConnecting {
    typealias Completion = (HTTP2InstanceConnection?) -> Void

    private var waiting: [(id: Int, completion: Completion)] = []
    private var lastID = 0
    private var connecting: (any PendingConnection)?
    /// Connected, and not ready yet.
    private var unready: HTTP2InstanceConnection?
    /// Makes a connection, and calls back with it or nil.
    private var connect: ((@escaping Completion) -> any PendingConnection)?

    /// Waits for the connection. The first one has it made.
    ///
    /// - Parameter connect: starts, and calls back with the connection or nil.
    func wait(
        _ completion: @escaping Completion, connect: @escaping (@escaping Completion) -> any PendingConnection
    ) -> any PendingConnection {
        self.lastID += 1
        let id = self.lastID
        self.waiting.append((id, completion))
        if self.waiting.count == 1, self.connect == nil {
            self.connect = connect
            self.start()
        }
        return Waiter(self, id)
    }

    private func start() {
        guard let connect = self.connect else { return }
        var isOver = false
        let connecting = connect { connection in
            isOver = true
            self.connecting = nil
            guard let connection else { return self.serve(nil) }
            self.unready = connection
            connection.whenReady { ready in
                guard self.unready === connection else { return }
                self.unready = nil
                self.serve(ready)
            }
        }
        if !isOver { self.connecting = connecting }
    }

    private func serve(_ connection: HTTP2InstanceConnection?) {
        var isOfUse = false
        while let connection, connection.hasRoom, !self.waiting.isEmpty {
            isOfUse = true
            self.waiting.removeFirst().completion(connection)
        }
        if isOfUse, !self.waiting.isEmpty { return self.start() }
        self.connect = nil
        // Who waits now has waited for nothing. Those that come while they are told wait anew.
        let failed = self.waiting
        self.waiting = []
        if !isOfUse, !failed.isEmpty { connection?.leave() }
        for waiter in failed { waiter.completion(nil) }
    }

    private func cancel(_ id: Int) {
        self.waiting.removeAll { $0.id == id }
        guard self.waiting.isEmpty else { return }
        let (connecting, unready) = (self.connecting, self.unready)
        self.connecting = nil
        self.unready = nil
        self.connect = nil
        connecting?.cancel()
        // It may be that it never gets ready.
        unready?.leave()
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
