extension Router {
    /// How a router listens, and what it puts up with. Every limit has an answer when it is hit: ``RouterErrorCode``.
    public struct Configuration: Sendable {
        /// The addresses to listen on: `127.0.0.1:8080` in clear text.
        public var listeners = [Listener(host: "127.0.0.1", port: 8080)]
        /// How to take over from a router before this one and to hand over to one after it: nil for neither.
        public var handover: Handover?
        /// Threads, for clear text and for TLS each: 1, which carries tens of thousands of requests a second and leaves the other cores to the
        /// instances.
        public var threads = 1
        /// More threads, for what may block: checking passwords, and looking up the names of instances that are not given by
        /// address: 4. What they have no time for waits.
        public var blockingThreads = 4
        /// Connections the kernel holds until they are accepted: 1,024.
        public var backlog: Int32 = 1024
        /// Client connections at once, over all threads: 20,000. When there are more, the one that has waited longest for a
        /// request, and for ``lingerTimeout`` at least, is closed in an orderly way and gives its place to the new one. When
        /// this thread has none (it asks the others for some), a further one in clear text is answered 503; one with TLS is
        /// closed before its handshake.
        public var maxConnections = 20_000
        /// Client connections at once from one address, IPv6 by its first 64 bits: 1,000. A further one in clear text is
        /// answered 429; one with TLS is closed before its handshake.
        ///
        /// A browser opens six connections at most, so that an office or a carrier's gateway with a few hundred people
        /// at once stays below, and it takes twenty addresses to use up ``maxConnections``. Addresses of
        /// ``trustedProxies`` are not limited. Where a listener expects the PROXY protocol
        /// (``Listener/proxyProtocolFrom``), the client that its header names is.
        public var maxConnectionsPerAddress = 1000
        /// Client connections at once from the first 48 bits of an IPv6 address: 4,000, beside ``maxConnectionsPerAddress``,
        /// and answered like that. Who is given so many bits has 65,536 networks of 64 bits, each of which would be another
        /// client; but some carriers give each of their customers no more than one network, so it is several times as many.
        public var maxConnectionsPerIPv6Site = 4000
        /// Networks of proxies in front of the router, whose `X-Forwarded-*`, `Forwarded` and `X-Real-IP` are
        /// kept and completed: none. From everybody else they are dropped.
        public var trustedProxies: [AddressRange] = []
        /// The router's name in the `Via` field.
        public var pseudonym = "slipway"

        /// Whether a request without a valid `traceparent` (W3C Trace Context) is given one: false.
        ///
        /// A valid one always passes unchanged, with its `tracestate`, and its trace is in ``RequestRecord/traceID``; an
        /// invalid one is dropped with its `tracestate`. To begin traces is another matter: everything behind the router
        /// goes by their flags and records each of them, in traces without the span that began them. Set it where the
        /// traces are collected.
        public var startsTraces = false

        /// The longest request line in bytes: 8 KiB, then 414.
        public var maxRequestLineBytes = 8192
        /// The largest request header section in bytes: 32 KiB, then 431.
        public var maxHeaderBytes = 32_768
        /// The most request header fields: 200, then 431.
        public var maxHeaderFields = 200
        /// The largest request body in bytes: 1 GiB, then 413. A route may set its own.
        public var maxRequestBodyBytes = 1 << 30
        /// The largest response header section in bytes: 64 KiB, then 502.
        public var maxResponseHeaderBytes = 65_536
        /// How much of a request's body is kept so that it can be sent again: 64 KiB.
        public var replayBytes = 65_536
        /// How much client input may wait, such as pipelined requests: 64 KiB. Then reading stops for a while.
        public var backlogBytes = 65_536

        /// What is read at once from a connection, and at most held of it while the other side is slow: 128 KiB.
        public var readBufferBytes = 131_072
        /// How much may wait to be sent on a connection before its source is no longer read: 64 KiB.
        public var writeBufferBytes = 65_536

        /// How much all connections of the router may hold together, in bytes: 512 MiB. That is what waits to be sent, to
        /// clients and instances, requests that wait or are kept to be sent again, and input that is not complete.
        ///
        /// Every loop has an equal share, of 4 MiB at least; there are ``threads`` loops for clear text, and as many for
        /// TLS. From half of it on, nothing is read from whoever fills a buffer before that is empty. When an eighth is
        /// left, the clients for whom the most is held are closed until a quarter is free, and a request that comes before
        /// that is answered 503 (`overloaded`). Small pieces take up to twice their size in memory.
        ///
        /// With the default, 20,000 connections may hold 26 KiB each, ten times what they do when nobody is slow, and a
        /// machine with 2 GiB of memory has room for it.
        public var maxBufferedBytes = 512 << 20

        /// The streams that an HTTP/2 client may have open: 100. Further ones are refused for the client to try again.
        public var maxStreamsPerConnection = 100

        /// How long a request's head may take from its first byte: 10 s, then 408. An HTTP/2 client has as long to begin the
        /// connection and to acknowledge the settings, and for each header block or frame that it has begun, then GOAWAY
        /// (`SETTINGS_TIMEOUT`, `ENHANCE_YOUR_CALM`). For a TLS handshake, see ``TLSSettings/handshakeTimeout``.
        public var headTimeout: Duration = .seconds(10)
        /// How long the client may pause inside a body: 30 s, then 408.
        public var bodyIdleTimeout: Duration = .seconds(30)
        /// How fast a client must send a body, in bytes a second: 240, then 408; 0 for no limit but ``bodyIdleTimeout``.
        ///
        /// It is a limit on the long run: what the client has sent pays for pauses, up to ``bodyIdleTimeout``. The time in
        /// which the instance does not take the body is not the client's.
        public var minimumBodyRate = 240
        /// How fast a client must take a response that waits for it, in bytes a second: 240, then the connection (with
        /// HTTP/2, the stream) is reset; 0 for no limit but ``clientStallTimeout``.
        ///
        /// It is a limit on the long run as well, and counts only while more than ``writeBufferBytes`` waits for the client:
        /// event streams, long polls and WebSockets whose instance is the slow one have nothing to fear.
        public var minimumResponseRate = 240
        /// How long a client may be slower than ``minimumBodyRate`` and ``minimumResponseRate`` at first: 5 s.
        public var rateGrace: Duration = .seconds(5)
        /// How long a kept client connection may be idle between requests: 60 s.
        public var keepAliveTimeout: Duration = .seconds(60)
        /// How long the client may take nothing of what waits for it, a response or what comes through a WebSocket: 60 s,
        /// then the connection is closed, or the stream when its own window is what it does not open.
        public var clientStallTimeout: Duration = .seconds(60)
        /// How long to wait for the client's goodbye after refusing a request it is still sending, or closing its idle
        /// connection; for the answer to HTTP/2's announcement of the end; and, when the router stops, for one more request
        /// on an idle connection: 2 s.
        public var lingerTimeout: Duration = .seconds(2)
        /// How long requests may take to end when the router stops: 30 s.
        public var shutdownGrace: Duration = .seconds(30)

        /// Requests an instance is given at once: 100. A backend may set its own.
        public var maxInFlightPerBackend = 100
        /// How much of an instance's places (``maxInFlightPerBackend``) is open to every client; and how much of the rest one
        /// client may hold: 50 percent. 100 for no limit.
        ///
        /// A client may be slow, within ``minimumBodyRate`` and ``minimumResponseRate``, and then holds a place for long
        /// with next to no effort. With the default, one client can have 75 places of 100, and never those of all others;
        /// its further requests wait, while those of others go past them. It costs a request nothing while an instance has
        /// open places. A client is an IPv4 address, or an IPv6 one's first 48 bits; behind ``trustedProxies``, whom they
        /// name. Upgraded connections and event streams hold no place.
        public var clientSharePercent = 50
        /// Requests per application that wait while every instance is at its limit: 1000, then 503. Enough for what comes while
        /// a busy machine stands still for a moment; how long they wait has its own limit, ``RouteTimeouts/queue``.
        public var maxQueuedPerApplication = 1000
        /// How often a request may be sent to another instance, or over a fresh connection: 3 times.
        public var maxRetries = 3
        /// How long a connection to an instance is kept without a request: 1.5 s, less than any common server's own
        /// limit (gunicorn: 2 s), so that the router is the one to close it.
        public var poolIdle: Duration = .milliseconds(1500)
        /// The same for requests that must not be sent twice, such as a POST: 1 s. Over an older connection, a
        /// request could cross with the instance's closing it.
        public var poolIdleForUnsafe: Duration = .seconds(1)
        /// Idle connections kept to one instance, per event loop: 100, as many as it is given requests at once. With
        /// fewer, a steady load would close and make connections all the time.
        public var maxIdlePerBackend = 100
        /// How many bytes of such requests are kept per application: 16 MiB, then 503.
        public var maxQueuedBytesPerApplication = 16 << 20
        /// When an instance that fails is set aside.
        public var ejection = EjectionPolicy()
        /// From what cookies and the division of clients among releases are derived. A new one for every router; give
        /// your own, and keep it, to have clients stay where they are when the router is started again.
        public var secretKey: SecretKey
        /// How passwords are checked for routes that ask for them; without it such routes are refused.
        public var passwordVerifier: PasswordVerifier?
        /// How often time limits are looked at: 250 ms. This is how late they may be noticed.
        public var timerResolution: Duration = .milliseconds(250)

        /// Which loops serve: those of the router's own where there are any, unless tests say otherwise.
        package var prefersChannels = false

        /// The defaults.
        public init() {
            var generator = SystemRandomNumberGenerator()
            self.secretKey = SecretKey(using: &generator)
        }

        /// The defaults, listening on this address in clear text.
        public init(host: String, port: Int) {
            self.init()
            self.listeners = [Listener(host: host, port: port)]
        }
    }
}

extension Router.Configuration {
    /// What instances may ask of the router; they are trusted with as many resets as they have requests.
    var http2InstanceLimits: HTTP2Limits {
        var limits = HTTP2Limits()
        limits.concurrentStreams = self.maxStreamsPerConnection
        limits.headerBytes = self.maxResponseHeaderBytes
        limits.headerFields = 500
        limits.outputBytes = self.writeBufferBytes
        limits.resets = HTTP2Rate(burst: 10_000, perSecond: 10_000)
        limits.idleFrames = HTTP2Rate(burst: 10_000, perSecond: 10_000)
        return limits
    }

    var http2Limits: HTTP2Limits {
        var limits = HTTP2Limits()
        limits.concurrentStreams = self.maxStreamsPerConnection
        limits.headerBytes = self.maxHeaderBytes
        limits.headerFields = self.maxHeaderFields
        limits.outputBytes = self.writeBufferBytes
        return limits
    }

    var exchangeSettings: ExchangeMachine.Settings {
        ExchangeMachine.Settings(
            requestHead: HeadScanner.Limits(
                firstLine: self.maxRequestLineBytes, firstLineCode: .uriTooLong, fields: self.maxHeaderBytes,
                fieldCount: self.maxHeaderFields, fieldsCode: .headersTooLarge, malformedCode: .badRequest),
            responseHead: HeadScanner.Limits(
                firstLine: 8192, firstLineCode: .upstreamInvalid, fields: self.maxResponseHeaderBytes,
                fieldCount: 500, fieldsCode: .upstreamInvalid, malformedCode: .upstreamInvalid),
            replayBytes: self.replayBytes, retries: self.maxRetries, backlogBytes: self.backlogBytes,
            startsTraces: self.startsTraces)
    }

    /// Whether clear text and TLS have loops of their own.
    var hasLoopsOfBothKinds: Bool {
        #if os(Linux)
            self.listeners.contains { $0.security == .tls } && !self.prefersChannels
        #else
            false
        #endif
    }

    /// One loop's part of ``maxBufferedBytes``.
    var bufferShare: Int { self.maxBufferedBytes / (self.threads * (self.hasLoopsOfBothKinds ? 2 : 1)) }

    /// Refuses what cannot work.
    func check() throws(RouterError) {
        func require(_ condition: Bool, _ what: String) throws(RouterError) {
            guard condition else { throw RouterError(.invalidConfiguration, "The router's \(what).") }
        }
        for port in self.listeners.map(\.port) {
            try require((0...65535).contains(port), "port \(port) is not between 0 and 65535")
        }
        try self.handover?.check()
        if self.handover != nil {
            try require(
                self.listeners.count <= HandoverMessage.maxSockets,
                "list of addresses is longer than the \(HandoverMessage.maxSockets) that can be handed over")
        }
        try require(!self.listeners.isEmpty, "list of addresses to listen on is empty")
        try require((1...10_000).contains(self.maxStreamsPerConnection), "limit of streams is not between 1 and 10,000")
        try require((1...1024).contains(self.threads), "number of threads \(self.threads) is not between 1 and 1024")
        try require(
            (1...1024).contains(self.blockingThreads),
            "number of threads for what may block, \(self.blockingThreads), is not between 1 and 1024")
        try require(self.maxConnections >= 1, "limit of connections is below 1")
        try require(self.maxConnectionsPerAddress >= 1, "limit of connections per address is below 1")
        try require(self.maxConnectionsPerIPv6Site >= 1, "limit of connections per IPv6 site is below 1")
        try require(self.maxRequestLineBytes >= 64, "limit for the request line is below 64 bytes")
        try require(self.maxInFlightPerBackend >= 1, "limit of requests per instance is below 1")
        try require((1...100).contains(self.clientSharePercent), "share of places for a client is not 1 to 100 percent")
        try require(self.readBufferBytes >= 4096, "read buffer is below 4 KiB")
        try require(self.writeBufferBytes >= 4096, "write buffer is below 4 KiB")
        try require(self.bufferShare >= 4 << 20, "limit of bytes held is below 4 MiB for each of its loops")
        try require(self.minimumBodyRate >= 0, "least rate of request bodies is negative")
        try require(self.minimumResponseRate >= 0, "least rate of responses is negative")
        try require(self.timerResolution > .zero, "timer resolution is not positive")
        try require(
            !self.pseudonym.isEmpty && self.pseudonym.utf8.allSatisfy(ByteClass.isToken),
            "pseudonym '\(self.pseudonym)' is not a token")
    }
}
