#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What is to be done for which host, and when. Decides; does nothing.
struct HostTable {
    struct Settings {
        var maxConcurrentOrders = 5
        var firstRetry: Duration = .seconds(300)
        var maxRetry: Duration = .seconds(6 * 3600)
        var renewalQuestions: Duration = .seconds(6 * 3600)
    }

    enum Job: Equatable, Hashable {
        /// Orders a certificate; the name of the one it replaces.
        case order(host: String, replacing: String?)
        /// Asks the authority when to renew.
        case ask(host: String, id: String)

        var host: String {
            switch self {
            case .order(let host, _), .ask(let host, _): host
            }
        }
    }

    struct Host {
        var isOnDemand: Bool
        var certificate: CertificateFacts?
        /// When to order next.
        var orderAt: Date
        /// When to ask next when to renew.
        var askAt: Date?
        var failures = 0
        var lastError: ACMEError?
    }

    let settings: Settings
    private(set) var hosts: [String: Host] = [:]
    /// What goes on, one job for a host at most: also for one that is not wanted any more. It counts until it has ended.
    private(set) var jobs: [String: Job] = [:]
    /// What had failed for hosts that are not wanted any more. Whoever sets a host again begins where he left off.
    private var past: [String: Past] = [:]
    private struct Past {
        var failures: Int
        var orderAt: Date
        var lastError: ACMEError?
    }
    /// So many are remembered; the authority's own limits hold for more.
    static var maxPast: Int { 10_000 }
    /// Whether the authority knows our account. As long as it does not, one order goes ahead and makes it.
    var hasAccount = false

    init(settings: Settings) { self.settings = settings }

    // MARK: Events

    /// Drops all hosts that were set and are not among these, and returns them. What was asked for on demand stays.
    mutating func keep(only wanted: Set<String>) -> [String] {
        let leaving = self.hosts.filter { !$0.value.isOnDemand && !wanted.contains($0.key) }.map(\.key)
        for host in leaving { self.leave(host) }
        return leaving.sorted()
    }

    /// The host is to have a certificate, always.
    mutating func want(_ host: String, now: Date) { self.add(host, isOnDemand: false, now: now) }

    /// A client asked for a host that may have one.
    mutating func demand(_ host: String, now: Date) { self.add(host, isOnDemand: true, now: now) }

    /// The host may not have a certificate any more, and what was done for it has ended.
    mutating func forget(_ host: String) {
        self.leave(host)
        self.jobs[host] = nil
    }

    private mutating func leave(_ host: String) {
        guard let entry = self.hosts.removeValue(forKey: host), entry.failures > 0 else { return }
        self.remember(
            host, Past(failures: entry.failures, orderAt: entry.orderAt, lastError: entry.lastError))
    }

    private mutating func remember(_ host: String, _ past: Past) {
        if self.past.count >= Self.maxPast, let other = self.past.keys.first { self.past[other] = nil }
        self.past[host] = past
    }

    private mutating func add(_ host: String, isOnDemand: Bool, now: Date) {
        if self.hosts[host] != nil {
            if !isOnDemand { self.hosts[host]?.isOnDemand = false }
        } else {
            var entry = Host(isOnDemand: isOnDemand, orderAt: now)
            if let past = self.past.removeValue(forKey: host) {
                entry.orderAt = max(past.orderAt, now)
                entry.failures = past.failures
                entry.lastError = past.lastError
            }
            self.hosts[host] = entry
        }
    }

    /// The host has a certificate: new, or kept from before.
    ///
    /// - Parameters:
    ///   - isKept: whether it was not made by a job, which is then ended.
    ///   - isCurrent: false to order another one as soon as possible, although this one can be used until then.
    ///   - chance: between 0 and 1.
    mutating func has(
        _ certificate: CertificateFacts, for host: String, isKept: Bool = false, isCurrent: Bool = true, now: Date,
        chance: Double
    ) {
        if !isKept { self.jobs[host] = nil }
        guard var entry = self.hosts[host] else { return }
        entry.certificate = certificate
        entry.orderAt = isCurrent ? max(certificate.renewal(chance: chance), now) : now
        let questions = self.settings.renewalQuestions.timeInterval
        entry.askAt = certificate.renewalID == nil ? nil : now.addingTimeInterval(questions * (0.1 + 0.9 * chance))
        entry.failures = 0
        entry.lastError = nil
        self.hosts[host] = entry
    }

    /// The order failed; another one is made later and later.
    mutating func failed(_ host: String, _ error: ACMEError, now: Date, chance: Double) {
        self.jobs[host] = nil
        let failures = (self.hosts[host]?.failures ?? self.past[host]?.failures ?? 0) + 1
        let orderAt = now.addingTimeInterval(self.retryDelay(failures, error, chance: chance))
        guard var entry = self.hosts[host] else {
            self.remember(host, Past(failures: failures, orderAt: orderAt, lastError: error))
            return
        }
        entry.failures = failures
        entry.lastError = error
        entry.orderAt = orderAt
        self.hosts[host] = entry
    }

    /// The job ended without a result, because everything ends.
    mutating func stopped(_ host: String) { self.jobs[host] = nil }

    /// The authority told when to renew, or nothing.
    mutating func told(
        _ host: String, window: (start: Date, end: Date, askAgain: Duration?)?, now: Date, chance: Double
    ) {
        self.jobs[host] = nil
        guard var entry = self.hosts[host] else { return }
        var delay = self.settings.renewalQuestions.timeInterval
        if let window {
            let length = window.end.timeIntervalSince(window.start)
            let chosen = window.start.addingTimeInterval(length * chance)
            // The authority may move the time either way. A time once chosen stays as long as it is in the window, or
            // asking again and again would always end up early.
            let isInside = (window.start...window.end).contains(entry.orderAt)
            if entry.failures == 0, !isInside {
                entry.orderAt = max(min(chosen, entry.certificate?.latestRenewal ?? chosen), now)
            }
            if let askAgain = window.askAgain?.timeInterval { delay = min(max(askAgain, 60), 86_400) }
        }
        entry.askAt = now.addingTimeInterval(delay)
        self.hosts[host] = entry
    }

    /// Orders now, whatever the plan was.
    mutating func hurry(_ host: String, now: Date) { self.hosts[host]?.orderAt = now }

    /// 5 min, 10 min, 20 min and so on, more or less by a fifth; never before the authority allows it.
    private func retryDelay(_ failures: Int, _ error: ACMEError, chance: Double) -> Double {
        let first = self.settings.firstRetry.timeInterval
        let most = self.settings.maxRetry.timeInterval
        // What only a change of the configuration can mend is not worth asking for often.
        let exponent = error.code == .invalidConfiguration ? 20 : min(failures - 1, 20)
        let own = min(first * Double(1 << exponent), most) * (0.8 + 0.4 * chance)
        guard let asked = error.retryAfter?.timeInterval else { return own }
        return max(own, min(asked, 7 * 86_400) * (1 + 0.1 * chance))
    }

    // MARK: Deciding

    /// Begins what is due, as much as may go on at once, and says when to look again.
    mutating func begin(now: Date) -> (jobs: [Job], next: Date?) {
        let limit = self.hasAccount ? self.settings.maxConcurrentOrders : 1
        var due: [(failures: Int, when: Date, job: Job)] = []
        var next: Date?
        for (host, entry) in self.hosts where self.jobs[host] == nil {
            let order = entry.orderAt
            if order <= now {
                // Those that have failed least often first, so that hosts which never can have a certificate make no others
                // wait; then those without one, and those that have waited longest.
                let when = entry.certificate == nil ? order.addingTimeInterval(-1e9) : order
                due.append((entry.failures, when, .order(host: host, replacing: entry.certificate?.renewalID)))
                continue
            }
            if let ask = entry.askAt, let id = entry.certificate?.renewalID, ask <= now {
                due.append((entry.failures, ask, .ask(host: host, id: id)))
                continue
            }
            let soonest = min(order, entry.askAt ?? order)
            next = min(next ?? soonest, soonest)
        }
        due.sort { ($0.failures, $0.when, $0.job.host) < ($1.failures, $1.when, $1.job.host) }
        let jobs = due.prefix(max(limit - self.jobs.count, 0)).map(\.job)
        for job in jobs { self.jobs[job.host] = job }
        return (jobs, next)
    }
}

extension Duration {
    /// In seconds.
    var timeInterval: Double {
        let (seconds, attoseconds) = self.components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
