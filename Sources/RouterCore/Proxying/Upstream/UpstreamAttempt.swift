/// What a request holds of an application while it is worked on: a place with an instance, a connection, or a place in
/// the queue.
struct UpstreamAttempt {
    /// The route's version that the current choice was made from.
    var pool: ApplicationPool?
    /// How many bytes of the path are for the router alone.
    var stripped = 0
    /// Which instances the client is to have, if it can.
    var preference = InstancePreference()
    var instance: Instance?
    /// For whom the place with the instance is counted, if it is a scarce one.
    var share: ClientAddress?
    /// Whom a trusted proxy speaks for, by its own account.
    var client: ClientAddress?
    var upstream: (any InstanceSide)?
    /// The connection that is being made.
    var pending: (any PendingConnection)?
    /// Instances that failed this request.
    var tried: [ObjectIdentifier] = []
    var isStream = false
    /// Its number among those that wait on this loop: for a place, an instance, or the answer about a password.
    ///
    /// Who waits takes any place that gets free, also with an instance that failed before: to be called up for a place
    /// that it does not take would be in vain, again and again.
    var ticket: UInt64? {
        didSet { if self.ticket != nil { self.tried.removeAll(keepingCapacity: true) } }
    }

    /// How long it may wait there, in nanoseconds of the loop's clock.
    var waitsUntil = UInt64.max
    /// The same for the wait for a place alone, which being called up in vain does not begin anew; nil before it.
    var placeDeadline: UInt64?

    var isQueued: Bool { self.ticket != nil }

    /// The exchange goes on for as long as it likes: it no longer takes a request's place.
    mutating func becomeStream() {
        guard !self.isStream, let instance = self.instance, let pool = self.pool else { return }
        self.isStream = true
        self.giveShare(with: instance)
        instance.becomeStream()
        pool.wakeNext()
    }

    private mutating func giveShare(with instance: Instance) {
        guard let share = self.share else { return }
        self.share = nil
        instance.endScarce()
        self.pool?.application.giveShare(share)
    }

    /// Gives back the place with the instance, if there is one.
    mutating func leaveInstance() {
        if let instance = self.instance {
            self.instance = nil
            self.giveShare(with: instance)
            instance.end(isStream: self.isStream)
            self.isStream = false
        }
        // Also without a place: it may have been called up to one in the moment in which it gave up.
        self.pool?.wakeNext()
    }

    /// Lets go of the connection without closing it; the caller decides what becomes of it.
    mutating func detach() -> (any InstanceSide)? {
        if let pending = self.pending {
            self.pending = nil
            pending.cancel()
        }
        guard let upstream = self.upstream else { return nil }
        self.upstream = nil
        upstream.owner = nil
        return upstream
    }
}
