import Logging

extension Worker {
    /// More is held than may be: gives up what no client waits for, then closes the clients for whom the most is held,
    /// until a quarter of the limit is free.
    ///
    /// That everybody is looked at costs little per byte that is set free, because that is much at once.
    func relieve() {
        self.closeDeparting()
        let goal = self.ledger.limit - self.ledger.limit / 4
        // Some of what a client holds is let go of only when its connection is forgotten, after this.
        var held = self.ledger.held
        for (client, bytes) in self.clients.map({ ($0, $0.heldBytes) }).sorted(by: { $0.1 > $1.1 }) {
            guard bytes > 0, held > goal else { break }
            client.abort(nil, OwnAnswer(.overloaded, retryAfter: 5))
            held -= bytes
            self.relieved += 1
        }
        let now = self.loop.now()
        guard now &- self.lastReliefLine > 10_000_000_000 else { return }
        self.logger.info(
            "too much is held: the clients with the most were closed", metadata: ["router.closed": "\(self.relieved)"])
        self.relieved = 0
        self.lastReliefLine = now
    }
}
