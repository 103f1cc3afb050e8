/// The threads that serve connections, and how they come by them.
protocol Engine: Sendable {
    /// One per thread.
    var workers: [WorkerHandle] { get }
    /// Begins to accept the connections that come to a socket, which stays open until the engine has stopped to.
    ///
    /// - Throws: ``RouterError`` when the system has no descriptors left.
    func accept(on socket: ListeningSocket) async throws(RouterError)
    /// Accepts no more connections. The sockets stay open, and the kernel goes on taking connections for whoever has
    /// them. What was accepted has been handed to its worker.
    func stopAccepting() async
    /// Ends the threads. Whatever is still open is let go of.
    func stop() async
}

extension RouterError {
    static func cannotListen(_ listener: Router.Listener, _ cause: any Error) -> RouterError {
        RouterError(
            .cannotListen,
            "The router cannot listen on \(listener.host):\(listener.port). Is the port taken, or the address not this machine's?",
            cause: cause)
    }
}
