/// The threads that serve connections, and how they come by them.
protocol Engine: Sendable {
    /// One per thread.
    var workers: [WorkerHandle] { get }
    /// Listens, and returns the address as the kernel has it.
    ///
    /// - Throws: ``RouterError`` when the address cannot be had.
    func listen(_ listener: Router.Listener) async throws(RouterError) -> BackendAddress
    /// Accepts no more connections.
    func stopListening() async
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
