/// The configuration's durations in the unit that deadlines are compared in.
struct NanosecondLimits {
    let head: UInt64
    let keepAlive: UInt64
    let sending: PaceLimit
    let taking: PaceLimit
    let linger: UInt64
    let poolIdle: UInt64
    let poolIdleForUnsafe: UInt64

    init(_ configuration: Router.Configuration) {
        self.head = configuration.headTimeout.nanosecondsClamped
        self.keepAlive = configuration.keepAliveTimeout.nanosecondsClamped
        let grace = configuration.rateGrace.nanosecondsClamped
        self.sending = PaceLimit(
            perSecond: configuration.minimumBodyRate, grace: grace,
            stall: configuration.bodyIdleTimeout.nanosecondsClamped)
        self.taking = PaceLimit(
            perSecond: configuration.minimumResponseRate, grace: grace,
            stall: configuration.clientStallTimeout.nanosecondsClamped)
        self.linger = configuration.lingerTimeout.nanosecondsClamped
        self.poolIdle = configuration.poolIdle.nanosecondsClamped
        self.poolIdleForUnsafe = configuration.poolIdleForUnsafe.nanosecondsClamped
    }
}

/// The same for a route's.
struct NanosecondTimeouts: Sendable {
    let connect: UInt64
    let firstByte: UInt64
    let betweenBytes: UInt64
    let upgradedIdle: UInt64
    let queue: UInt64

    static let defaults = NanosecondTimeouts(RouteTimeouts())

    init(_ timeouts: RouteTimeouts) {
        self.connect = timeouts.connect.nanosecondsClamped
        self.firstByte = timeouts.firstByte.nanosecondsClamped
        self.betweenBytes = timeouts.betweenBytes.nanosecondsClamped
        self.upgradedIdle = timeouts.upgradedIdle.nanosecondsClamped
        self.queue = timeouts.queue.nanosecondsClamped
    }
}
