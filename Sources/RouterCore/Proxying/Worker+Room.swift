import Logging

extension Worker {
    /// There are as many connections as may be: gives up the one of this loop that has waited longest for a request; false
    /// when none has waited for a while.
    func makeRoom() -> Bool {
        let found = self.spare.next(now: self.loop.now(), least: self.limits.linger) {
            self.countedClients.compactMap { client in
                client.idleSince.map { SpareConnections.Candidate(session: client, since: $0) }
            }
        }
        guard let found else { return false }
        self.giveUp(found)
        return true
    }

    /// Another loop has connections to take and none to give up.
    func makeRoomForOthers() {
        var count = 0
        while count < SpareConnections.atOnce / 2, self.census.hasLess(than: SpareConnections.atOnce / 2),
            self.makeRoom()
        {
            count += 1
        }
    }

    /// Has the other loops make room, now and then.
    func askForRoom() {
        let now = self.loop.now()
        guard now >= self.nextRoomRequest else { return }
        self.nextRoomRequest = now &+ self.configuration.timerResolution.nanosecondsClamped
        self.census.askForRoom(from: self.handle)
    }

    func logGivenUp(_ now: UInt64) {
        guard self.givenUp > 0, now &- self.lastGivenUpLine > 10_000_000_000 else { return }
        self.logger.info(
            "too many connections: those that have waited longest for a request were closed for new ones",
            metadata: ["router.closed": "\(self.givenUp)"])
        self.givenUp = 0
        self.lastGivenUpLine = now
    }
}
