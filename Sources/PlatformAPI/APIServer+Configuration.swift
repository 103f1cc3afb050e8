public import NIOCore
public import NIOPosix
public import SystemPackage

extension APIServer {
    /// Where a server listens, and its limits.
    public struct Configuration: Sendable {
        /// The address to listen on. 127.0.0.1: whoever reaches it and has a token governs the platform.
        public var host = "127.0.0.1"
        /// The port to listen on; 0 means any free one. 8081.
        public var port = 8081
        /// A socket that listens already, which takes the place of the address; it stays the caller's, to be closed. `nil`.
        public var listeningSocket: CInt?
        /// Where the git endpoint is. `/git`.
        public var gitPrefix = "/git"
        /// Where uploads are kept while they are deployed.
        public var uploadDirectory: FilePath
        /// How large an uploaded archive may be, in bytes. 1 GiB.
        public var uploadLimit = 1 << 30
        /// How large any other body may be, in bytes. 1 MiB.
        public var bodyLimit = 1 << 20
        /// How long a connection may say nothing between requests, or in the middle of one that it sends; answers may take
        /// as long as they like. `nil` means for ever. 10 minutes.
        public var idleTimeout: Duration? = .seconds(600)
        /// How many connections there may be; more wait. 1,024.
        public var maximumConnections = 1024
        /// How often a stream in which nothing happens shows that it is alive. 5 seconds.
        public var keepAliveInterval: Duration = .seconds(5)
        /// How long operations may go on when the host is told to stop, before they are cancelled. 10 seconds.
        public var shutdownGrace: Duration = .seconds(10)
        /// How many requests with an `Idempotency-Key` are remembered. 10,000.
        public var idempotencyEntries = 10_000
        /// How long they are remembered. 24 hours.
        public var idempotencyLifetime: Duration = .seconds(86_400)
        /// What time is measured by.
        public var clock: any Clock<Duration> = ContinuousClock()
        /// Where connections are served.
        public var eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
        /// Where uploads are written to disk.
        public var threadPool: NIOThreadPool = .singleton

        /// Makes a configuration with the defaults.
        public init(uploadDirectory: FilePath) {
            self.uploadDirectory = uploadDirectory
        }
    }
}
