import Testing

@testable import RouterCore

@Suite struct `A queue of waiting requests` {
    private func entry(_ ticket: Int, _ client: Int, deadline: UInt64 = 100, bytes: Int = 0) -> WaitQueue<Int>.Entry {
        WaitQueue.Entry(ticket: ticket, client: ClientAddress(ipv4: UInt32(client)), deadline: deadline, bytes: bytes)
    }

    private func drain(_ queue: inout WaitQueue<Int>, now: UInt64 = 0) -> [Int] {
        var order: [Int] = []
        while let entry = queue.next(now: now, expired: { _ in }) { order.append(entry.ticket) }
        return order
    }

    private func displaced(_ joining: WaitQueue<Int>.Joining) -> [Int]? {
        if case .waits(let displaced) = joining { return displaced.map(\.ticket) }
        return nil
    }

    @Test func `lets clients take turns, each by deadline`() {
        var queue = WaitQueue<Int>()
        for ticket in 0..<4 { _ = queue.join(self.entry(ticket, 1), maxCount: 100) }
        _ = queue.join(self.entry(10, 2), maxCount: 100)
        _ = queue.join(self.entry(20, 3, deadline: 90), maxCount: 100)
        _ = queue.join(self.entry(21, 3, deadline: 80), maxCount: 100)
        #expect(self.drain(&queue) == [0, 10, 21, 1, 20, 2, 3])
        #expect(queue.isEmpty)
    }

    @Test func `is first come, first served, when clients have one request each`() {
        var queue = WaitQueue<Int>()
        for ticket in 0..<10 { _ = queue.join(self.entry(ticket, ticket), maxCount: 10) }
        #expect(self.displaced(queue.join(self.entry(10, 10), maxCount: 10)) == nil)
        #expect(self.drain(&queue) == Array(0..<10))
    }

    @Test func `gives a newcomer the place of who has the most`() {
        var queue = WaitQueue<Int>()
        for ticket in 0..<6 { _ = queue.join(self.entry(ticket, 1), maxCount: 6) }
        #expect(self.displaced(queue.join(self.entry(6, 1), maxCount: 6)) == nil)
        #expect(self.displaced(queue.join(self.entry(10, 2), maxCount: 6)) == [5])
        #expect(self.displaced(queue.join(self.entry(11, 2), maxCount: 6)) == [4])
        #expect(self.displaced(queue.join(self.entry(20, 3), maxCount: 6)) == [3])
        // Three, two and one: another one would only turn the tables.
        #expect(self.displaced(queue.join(self.entry(12, 2), maxCount: 6)) == nil)
        #expect(self.drain(&queue) == [0, 10, 20, 1, 11, 2])
    }

    @Test func `keeps no more bytes than it may`() {
        var queue = WaitQueue<Int>()
        _ = queue.join(self.entry(0, 1, bytes: 40), maxCount: 9, maxBytes: 100)
        _ = queue.join(self.entry(1, 1, bytes: 40), maxCount: 9, maxBytes: 100)
        #expect(self.displaced(queue.join(self.entry(2, 1, bytes: 30), maxCount: 9, maxBytes: 100)) == nil)
        #expect(self.displaced(queue.join(self.entry(3, 2, bytes: 101), maxCount: 9, maxBytes: 100)) == nil)
        #expect(self.displaced(queue.join(self.entry(4, 2, bytes: 90), maxCount: 9, maxBytes: 100)) == nil)
        #expect(self.displaced(queue.join(self.entry(5, 2, bytes: 50), maxCount: 9, maxBytes: 100)) == [1])
        #expect(queue.bytes == 90)
        #expect(self.drain(&queue) == [0, 5])
        #expect(queue.bytes == 0)
    }

    @Test func `reports who waited too long, and puts back who was called in vain`() {
        var queue = WaitQueue<Int>()
        for ticket in 0..<4 {
            _ = queue.join(self.entry(ticket, ticket % 2, deadline: UInt64(ticket) * 10), maxCount: 9)
        }
        var late: [Int] = []
        let next = queue.next(now: 10) { late.append($0.ticket) }
        #expect(late == [0, 1])
        #expect(next?.ticket == 2)
        if let next { queue.putBack(next) }
        #expect(queue.count == 2)
        let last = queue.next(now: 25) { late.append($0.ticket) }
        #expect(last?.ticket == 3)
        #expect(late == [0, 1, 2])
        _ = queue.join(self.entry(3, 1), maxCount: 9)
        let nobody = queue.remove(ClientAddress(ipv4: 1)) { $0 == 9 }
        let somebody = queue.remove(ClientAddress(ipv4: 1)) { $0 == 3 }
        #expect(nobody == nil && somebody?.ticket == 3)
        #expect(queue.isEmpty)
    }

    /// Against a list in which everything is looked for anew each time.
    @Test(arguments: 0..<12) func `does what a simple list does`(seed: Int) {
        var random = LoopRandom(seed: UInt64(seed))
        let maxCount = 2 + random.below(12)
        var queue = WaitQueue<Int>()
        var waiting: [Int: WaitQueue<Int>.Entry] = [:]
        var now: UInt64 = 0
        for ticket in 0..<2000 {
            now += UInt64(random.below(4))
            switch random.below(5) {
            case 0, 1, 2:
                let entry = self.entry(
                    ticket, random.below(5), deadline: now + UInt64(random.below(60)), bytes: random.below(3))
                let counts = Dictionary(grouping: waiting.values, by: \.client).mapValues(\.count)
                let most = counts.values.max() ?? 0
                let mayWait = waiting.count < maxCount || counts[entry.client, default: 0] + 1 < most
                let displaced = self.displaced(queue.join(entry, maxCount: maxCount))
                #expect((displaced != nil) == mayWait)
                for victim in displaced ?? [] {
                    let old = waiting.removeValue(forKey: victim)
                    #expect(old.map { counts[$0.client] == most } == true)
                    // Of the victim's requests, the one with the most time left.
                    #expect(waiting.values.allSatisfy { $0.client != old?.client || $0.deadline <= old?.deadline ?? 0 })
                }
                if displaced != nil { waiting[ticket] = entry }
            case 3:
                if let victim = waiting.keys.sorted().randomElement(using: &random), let entry = waiting[victim] {
                    let removed = queue.remove(entry.client) { $0 == victim }
                    #expect(removed != nil)
                    waiting[victim] = nil
                }
            default:
                var late: [Int] = []
                let next = queue.next(now: now) { late.append($0.ticket) }
                for ticket in late { #expect(waiting.removeValue(forKey: ticket).map { $0.deadline <= now } == true) }
                if let next {
                    #expect(waiting.removeValue(forKey: next.ticket) != nil)
                    #expect(next.deadline > now)
                    #expect(waiting.values.allSatisfy { $0.client != next.client || $0.deadline >= next.deadline })
                } else {
                    #expect(waiting.isEmpty)
                }
            }
            #expect(queue.count == waiting.count)
            #expect(queue.bytes == waiting.values.reduce(0) { $0 + $1.bytes })
        }
    }

    /// Among clients that always want more, none is served twice before every other was served once.
    @Test(arguments: 0..<4) func `is fair to those who always want more`(seed: Int) {
        var random = LoopRandom(seed: UInt64(seed))
        var queue = WaitQueue<Int>()
        var served = [0, 0, 0, 0]
        for ticket in 0..<4000 {
            // The first client asks for much more than the others.
            for client in [0, 0, 0, 0, 0, 0, 1, 2, 3].shuffled(using: &random) {
                _ = queue.join(self.entry(ticket, client), maxCount: 12)
            }
            if let next = queue.next(now: 0, expired: { _ in }) {
                served[Int(truncatingIfNeeded: next.client.bits & 0xFF)] += 1
            }
        }
        #expect((served.max() ?? 0) - (served.min() ?? 0) <= 2, "\(served)")
    }
}

@Suite struct `A gate for an application without instances` {
    private let policy = HoldPolicy()
    private let client = ClientAddress(ipv4: 1)
    private let second: UInt64 = 1_000_000_000

    private func hold(_ gate: inout HoldGate<Int>, _ ticket: Int, now: UInt64, policy: HoldPolicy? = nil) -> String {
        switch gate.hold(ticket, client: self.client, bytes: 1, policy: policy ?? self.policy, now: now) {
        case .waits(let wakes, _): wakes ? "waits, wakes" : "waits"
        case .full(let wakes): wakes ? "full, wakes" : "full"
        }
    }

    @Test func `asks for a start once, and again after a while`() {
        var gate = HoldGate<Int>()
        #expect(self.hold(&gate, 1, now: self.second) == "waits, wakes")
        #expect(self.hold(&gate, 2, now: self.second) == "waits")
        let wakesEarly = gate.asksAgain(policy: self.policy, now: self.second * 10)
        let wakesAgain = gate.asksAgain(policy: self.policy, now: self.second * 11)
        #expect(!wakesEarly && wakesAgain)
        #expect(self.hold(&gate, 3, now: self.second * 20) == "waits")
        #expect(self.hold(&gate, 4, now: self.second * 21) == "waits, wakes")
        let cancelled = gate.cancel(self.client) { $0 == 3 }
        #expect(cancelled)
        let goOn = gate.opened(now: self.second * 22, expired: { _ in }).map(\.ticket)
        #expect(goOn == [1, 2, 4])
        // An instance that fell over at once is not started for every request.
        #expect(self.hold(&gate, 5, now: self.second * 23) == "waits")
        #expect(self.hold(&gate, 6, now: self.second * 31) == "waits, wakes")
    }

    @Test func `lets nobody wait for too long, nor too many`() {
        var gate = HoldGate<Int>()
        var policy = HoldPolicy()
        policy.maxRequests = 2
        policy.timeout = .seconds(5)
        #expect(self.hold(&gate, 1, now: 0, policy: policy) == "waits, wakes")
        #expect(self.hold(&gate, 2, now: self.second, policy: policy) == "waits")
        #expect(self.hold(&gate, 3, now: self.second, policy: policy) == "full")
        var late: [Int] = []
        let goOn = gate.opened(now: self.second * 7, expired: { late.append($0.ticket) })
        #expect(goOn.isEmpty && late == [1, 2])
        // Nobody waits: nobody needs an instance.
        let wakesForNobody = gate.asksAgain(policy: policy, now: self.second * 60)
        #expect(!wakesForNobody)
    }

    @Test func `asks for a start even when nobody can wait`() {
        var gate = HoldGate<Int>()
        var policy = HoldPolicy()
        policy.maxBytes = 0
        #expect(self.hold(&gate, 1, now: 0, policy: policy) == "full, wakes")
        #expect(self.hold(&gate, 1, now: 1, policy: policy) == "full")
    }
}
