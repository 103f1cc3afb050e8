import Synchronization
public import SystemPackage

extension Router {
    /// How a router takes over from the one before it, and hands over to the one after it: an upgrade of the program
    /// without a refused connection.
    ///
    /// Both name the same path. The old router listens there, on a socket of its user's alone; the new one asks there for
    /// the listening sockets, which stay open all the while: a connection that comes when nobody accepts waits in the
    /// kernel. The new router accepts nothing before ``Router/takeOver()``, so that it can set its routes in peace. Then
    /// the old one stops accepting, has every connection end with its next answer, and its ``Router/run()`` returns when
    /// all have ended, at the latest after ``Router/Configuration/shutdownGrace``.
    ///
    /// Until then the new router may fail or be stopped, and the old one goes on as if nothing had happened.
    public struct Handover: Sendable, Hashable {
        /// Where the routers meet. Its directory must be there, and belong to their user or to root. Nobody else may
        /// write there, unless each can remove only what is their own (the sticky bit, as on `/tmp`): whoever could replace
        /// the socket would be asked in the router's place. ``Router/run()`` refuses any other.
        public var path: FilePath
        /// How long the new router may take until it accepts: 5 min. Then the offer is withdrawn, for others to try.
        public var offerTimeout: Duration = .seconds(300)
        /// How long either waits for the other's answer: 5 s.
        public var answerTimeout: Duration = .seconds(5)
        /// How long the old router waits for another request on its idle client connections before it closes them:
        /// 10 s. A connection that is closed at once could cross with a request.
        public var idleGrace: Duration = .seconds(10)

        /// The defaults.
        public init(path: FilePath) { self.path = path }
    }

    /// Says that the routes are set: a router with a ``Configuration/handover`` accepts from now on, in the place of the
    /// one before it. May be called before ``run()``; without a hand-over it does nothing.
    ///
    /// ``listening()`` tells when it accepts. When the old router has withdrawn its offer, ``run()`` throws. When it does
    /// not say within ``Handover/answerTimeout`` that it stopped accepting, this one accepts all the same: two routers on
    /// the same sockets lose nothing, since the kernel gives each connection to one of them, which answers it; but if
    /// neither accepted, all would wait.
    public func takeOver() { self.readiness.continuation.yield() }

    /// Whether another router has taken over from this one, which has stopped accepting for good. Should the other one have
    /// ended meanwhile, nobody accepts.
    public var isHandedOver: Bool { self.state.withLock { $0.isHandedOver } }
}

extension Router.Handover {
    /// Refuses what cannot work.
    func check() throws(RouterError) {
        func require(_ condition: Bool, _ what: String) throws(RouterError) {
            guard condition else { throw RouterError(.invalidConfiguration, "The hand-over of the router \(what).") }
        }
        #if !os(Linux)
            try require(false, "needs Linux; leave its path out")
        #endif
        // The kernel allows 107 bytes, and the new socket is made under a longer name first.
        try require(
            self.path.isAbsolute && self.path.string.utf8.count <= 90,
            "needs an absolute path of at most 90 bytes; '\(self.path)' is not one")
        try require(self.offerTimeout > .zero && self.answerTimeout > .zero, "has a timeout that is not positive")
        try require(self.idleGrace >= .zero, "has a negative grace for idle connections")
    }
}
