#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Hosts that clients asked for and nobody has set: noted, and let through one after the other.
///
/// Anybody can make any number of these, so that everything here is bounded. When there are too many, a new one takes the
/// place of any other by chance: so a host that is asked for again and again gets its turn, however many names are made up.
struct DemandGate {
    struct Settings {
        /// How many hosts are looked at in a minute.
        var perMinute = 10
        /// How many wait to be looked at.
        var maxWaiting = 1_000
        /// For how long a host that was turned down is not looked at again.
        var memory: Duration = .seconds(600)
        var maxRemembered = 10_000
    }

    private let settings: Settings
    private var waiting: [String] = []
    private var isWaiting: Set<String> = []
    private var turnedDown: [String: Date] = [:]
    private var tokens: Double
    private var filledAt: Date?

    init(settings: Settings) {
        self.settings = settings
        self.tokens = Double(settings.perMinute)
    }

    /// Notes a host. Cheap; says whether there is more to look at than before.
    ///
    /// - Parameter chance: at least 0 and below 1.
    mutating func ask(_ host: String, now: Date, chance: Double) -> Bool {
        if let until = self.turnedDown[host], until > now { return false }
        guard !self.isWaiting.contains(host) else { return false }
        if self.waiting.count < self.settings.maxWaiting {
            self.isWaiting.insert(host)
            self.waiting.append(host)
            return true
        }
        let place = Int(chance * Double(self.waiting.count))
        guard self.waiting.indices.contains(place) else { return false }
        self.isWaiting.remove(self.waiting[place])
        self.isWaiting.insert(host)
        self.waiting[place] = host
        return false
    }

    /// The hosts to look at now, and when to come again for the rest.
    mutating func take(now: Date) -> (hosts: [String], next: Date?) {
        let limit = Double(self.settings.perMinute)
        if let filledAt = self.filledAt {
            self.tokens = min(limit, self.tokens + max(0, now.timeIntervalSince(filledAt)) * limit / 60)
        }
        self.filledAt = now
        let count = min(Int(self.tokens + 1e-6), self.waiting.count)
        let hosts = Array(self.waiting.prefix(count))
        self.waiting.removeFirst(count)
        self.isWaiting.subtract(hosts)
        self.tokens -= Double(count)
        if self.waiting.isEmpty { return (hosts, nil) }
        return (hosts, now.addingTimeInterval((1 - self.tokens) * 60 / limit))
    }

    /// The host may not have a certificate.
    mutating func turnDown(_ host: String, now: Date) {
        if self.turnedDown.count >= self.settings.maxRemembered {
            self.turnedDown = self.turnedDown.filter { $0.value > now }
            if self.turnedDown.count >= self.settings.maxRemembered { self.turnedDown.removeAll() }
        }
        self.turnedDown[host] = now.addingTimeInterval(self.settings.memory.timeInterval)
    }
}
