@testable import RouterCore

/// What may go wrong in a simulated world.
enum Fault: CaseIterable {
    // Instances, by request.
    /// Closes or resets before a byte of the answer.
    case breaks
    /// Closes or resets in the middle of the answer.
    case cuts
    /// Answers what is no HTTP.
    case babbles
    case answersTwice
    /// Answers before the request has come whole.
    case isEarly
    /// Answers before the request has come whole, and closes.
    case isEarlyAndCloses
    /// Never answers, or stops in the middle.
    case hangs
    /// Closes, over HTTP/2 with or without a farewell, after an answer.
    case closesIdle
    /// Takes no connection, at times.
    case refusesConnections
    /// Gives some streams back unread. (HTTP/2)
    case refusesStreams

    // Clients.
    /// Close or reset in the middle of anything; over HTTP/2, reset streams.
    case clientsLeave
    /// End their side as soon as they have asked.
    case clientsHalfClose
    /// Stop sending or reading.
    case clientsStall

    // Everything.
    case clockJumps
    case deployments
}

/// What one simulated world is like. It follows from the seed alone.
struct Weather: CustomStringConvertible {
    enum Language { case http1, http2 }

    var faults: Set<Fault> = []
    var clientsSpeak = Language.http1
    var instancesSpeak = Language.http1
    var clients = 1
    var requests = 1
    var instances = 1
    /// How much a kernel holds in each direction.
    var capacity = 1000
    var bodies = 100
    /// How many streams a connection to an instance takes. (HTTP/2)
    var streams = 100
    /// How many requests an instance is given at once.
    var places = 100

    init(_ random: inout LoopRandom) {
        func pick<T>(_ values: [T]) -> T { values[Int(random.next() % UInt64(values.count))] }
        self.clientsSpeak = pick([.http1, .http1, .http2])
        self.instancesSpeak = pick([.http1, .http1, .http2])
        self.clients = pick([1, 2, 3])
        self.requests = pick([1, 3, 6])
        self.instances = pick([1, 1, 2, 3])
        self.capacity = pick([100, 1000, 20_000])
        self.bodies = pick([10, 1000, 30_000])
        self.streams = pick([1, 3, 100])
        self.places = pick([1, 2, 100])
        guard pick([true, true, false]) else { return }
        // A few at a time: some failures hide others.
        for fault in Fault.allCases where random.next() % 6 == 0 { self.faults.insert(fault) }
    }

    /// Whether something may wait for the clock.
    var needsTime: Bool { !self.faults.isDisjoint(with: [.hangs, .clientsStall, .clockJumps]) }

    var description: String {
        "\(self.clients) clients (\(self.clientsSpeak)), \(self.requests) requests each, \(self.instances) instances "
            + "(\(self.instancesSpeak)), \(self.capacity) bytes in a pipe, \(self.bodies) in a body, \(self.streams) streams, "
            + "\(self.places) places, \(self.faults.map { "\($0)" }.sorted())"
    }
}
